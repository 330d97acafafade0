//! Many buyers, few seats, two nodes: exactly one wins each seat, and every loser is told which and why.

use std::collections::HashMap;

use crate::support::Holdfast;
use crate::support::journeys::GOOD_CARD;
use serde_json::Value;

const BUYERS: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_for_three_overlapping_seats_on_two_nodes() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast.theatre().await;
    // Overlapping pairs of the same three seats, which as pairs never strand a neighbour.
    let wishes: [&[&str]; 3] = [
        &["stalls-A-1", "stalls-A-2"],
        &["stalls-A-2", "stalls-A-3"],
        &["stalls-A-1", "stalls-A-2", "stalls-A-3"],
    ];
    let crowd = holdfast.crowd(BUYERS).await;

    let mut clicks = tokio::task::JoinSet::new();
    for (number, buyer) in crowd.into_iter().enumerate() {
        let buyer = if number % 2 == 0 { buyer } else { buyer.at(&second) };
        let wish = wishes[number % wishes.len()];
        clicks.spawn(async move { (buyer.holds_seats(event, wish).await, wish, buyer) });
    }
    let answers = clicks.join_all().await;

    let mut owners: HashMap<String, usize> = HashMap::new();
    let mut winners = Vec::new();
    for (answer, wish, buyer) in answers {
        match answer.status {
            201 => {
                for seat in wish {
                    *owners.entry((*seat).to_owned()).or_default() += 1;
                }
                winners.push((answer.body, buyer));
            }
            409 => {
                assert_eq!(answer.code(), "seats_unavailable", "{}", answer.body);
                let named = answer.body["seats"].as_array().expect("the seats are named");
                assert!(!named.is_empty());
                for seat in named {
                    assert!(wish.contains(&seat["id"].as_str().expect("an id")), "{seat} was not asked for");
                    assert_eq!(seat["reason"], "held");
                }
            }
            other => panic!("an answer of {other}: {}", answer.body),
        }
    }
    assert!(!winners.is_empty(), "somebody must win");
    assert!(owners.values().all(|&count| count == 1), "{owners:?}");

    for (hold, buyer) in winners {
        let order: Value = buyer.checks_out(&hold).await;
        holdfast.pay(&order, GOOD_CARD).await.expect(200);
        buyer.sees(&order, "confirmed").await;
    }
    holdfast.every_invariant_holds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standing_area_sells_exactly_its_capacity_on_two_nodes() {
    let holdfast = Holdfast::start().await;
    let second = holdfast.second_node().await;
    let event = holdfast
        .event(serde_json::json!({
            "title": "Club night", "starts_at": "2031-01-01T20:00:00Z", "total_tickets": 50, "price": 1500,
        }))
        .await;
    let crowd = holdfast.crowd(100).await;

    let mut clicks = tokio::task::JoinSet::new();
    for (number, buyer) in crowd.into_iter().enumerate() {
        let buyer = if number % 2 == 0 { buyer } else { buyer.at(&second) };
        clicks
            .spawn(async move { buyer.holds(event, serde_json::json!({ "areas": { "general": 1 } })).await });
    }
    let answers = clicks.join_all().await;

    let held = answers.iter().filter(|answer| answer.status == 201).count();
    let sold_out = answers.iter().filter(|answer| answer.code() == "sold_out").count();
    assert_eq!((held, sold_out), (50, 50));
    holdfast.every_invariant_holds().await;
}
