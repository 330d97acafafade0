//! A report as one page: its figures and its plots, with nothing to fetch.

use std::fmt::Write as _;

use holdfast::markup::escaped;

use super::report::{Course, Figures, Spans};

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for the numbers at the left and below.
const LEFT: f64 = 64.0;
const BELOW: f64 = 28.0;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1b22;background:#fff}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}svg{display:block;max-width:100%;height:auto}
text{font:12px system-ui,sans-serif;fill:#555}.line{fill:none;stroke:#2456c7;stroke-width:2}.second{stroke:#c2410c}
.grid{stroke:#ddd}figure{margin:2rem 0}figcaption{color:#555}";

/// The page.
pub fn html(figures: &Figures) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>holdfast bench {0}</title><style>{STYLE}</style><h1>holdfast bench {0}</h1>",
        escaped(figures.what)
    );
    let due = figures
        .rate
        .map_or_else(|| "as fast as they could".to_owned(), |rate| format!("{rate:.0} a second were due"));
    let _ = write!(
        page,
        "<p>{} answered in {:.1} s over {} connections, {:.0} a second ({due}), on a machine of {} cores that also did the asking.</p>",
        figures.answered, figures.seconds, figures.connections, figures.per_second, figures.cores
    );
    page.push_str("<table><tr><th>answer<th>how often</tr>");
    for (outcome, count) in &figures.outcomes {
        let _ = write!(page, "<tr><td>{}<td>{count}</tr>", escaped(outcome));
    }
    page.push_str("</table><h2>How long it took</h2><table><tr><th>milliseconds<th>median<th>90 %<th>99 %<th>99.9 %<th>longest<th>of</tr>");
    let whole = (figures.latency.count > 0).then_some(("in all", &figures.latency));
    let all: Vec<_> =
        whole.into_iter().chain(figures.parts.iter().map(|(name, spans)| (*name, spans))).collect();
    for (name, spans) in &all {
        let _ = write!(
            page,
            "<tr><td>{}<td>{:.2}<td>{:.2}<td>{:.2}<td>{:.2}<td>{:.2}<td>{}</tr>",
            escaped(name),
            spans.p50,
            spans.p90,
            spans.p99,
            spans.p999,
            spans.max,
            spans.count
        );
    }
    page.push_str("</table>");
    for (name, spans) in &all {
        page.push_str(&curve(name, spans));
    }
    if !figures.courses.is_empty() {
        page.push_str(&courses(&figures.courses));
    }
    if figures.latency.count > 0 && figures.courses.is_empty() {
        page.push_str(&by_second(figures));
    }
    if let Some(lag) = &figures.lag {
        let _ = write!(
            page,
            "<p>The asking itself was late by {:.2} ms (the median), 99 % of it by at most {:.2} ms, all of it by at most {:.2} ms.</p>",
            lag.p50, lag.p99, lag.max
        );
    }
    if !figures.notes.is_empty() {
        page.push_str("<h2>Besides</h2><table>");
        for (name, what) in &figures.notes {
            let _ = write!(page, "<tr><td>{}<td>{}</tr>", escaped(name), escaped(&what.to_string()));
        }
        page.push_str("</table>");
    }
    page.push_str("</html>\n");
    page
}

/// From the quickest to the slowest: the further right, the fewer are left.
fn curve(name: &str, spans: &Spans) -> String {
    // Each step to the right is a tenth of those that are left.
    let nines = |share: f64| -((100.0 - share).max(0.001) / 100.0).log10();
    let points: Vec<_> = spans.curve.iter().map(|&(share, took)| (nines(share), took)).collect();
    let marks = [("0 %", 0.0), ("90 %", 1.0), ("99 %", 2.0), ("99.9 %", 3.0), ("99.99 %", 4.0), ("all", 5.0)];
    plot(&format!("{name}: milliseconds within which so many were done"), &[("line", points)], &marks, 5.0)
}

fn by_second(figures: &Figures) -> String {
    let last = figures.by_second.len().saturating_sub(1).max(1);
    #[expect(clippy::cast_precision_loss, reason = "seconds of one run")]
    let at = |second: usize| second as f64;
    let seconds = || figures.by_second.iter().enumerate();
    let median = seconds().map(|(second, it)| (at(second), it.p50)).collect();
    let slow = seconds().map(|(second, it)| (at(second), it.p99)).collect();
    let end = format!("{last} s");
    plot(
        "Second by second: the median (blue) and 99 % (orange), in milliseconds",
        &[("line", median), ("line second", slow)],
        &[("0 s", 0.0), (end.as_str(), at(last))],
        at(last),
    )
}

/// What grew, each line in its colour.
fn courses(courses: &[Course]) -> String {
    const COLOURS: [(&str, &str); 2] = [("line", "blue"), ("line second", "orange")];
    let right = courses.iter().flat_map(|course| &course.points).map(|(at, _)| *at).fold(1.0, f64::max);
    let (mut lines, mut names) = (Vec::new(), Vec::new());
    for (course, (class, colour)) in courses.iter().zip(COLOURS.iter().cycle()) {
        #[expect(clippy::cast_precision_loss, reason = "seats and people")]
        let points = course.points.iter().map(|&(at, count)| (at, count as f64));
        lines.push((*class, std::iter::once((0.0, 0.0)).chain(points).collect()));
        names.push(format!("{} ({colour})", course.name));
    }
    let (half, end) = (format!("{:.0} s", right / 2.0), format!("{right:.0} s"));
    let marks = [("0 s", 0.0), (half.as_str(), right / 2.0), (end.as_str(), right)];
    plot(&format!("How many there had been: {}", names.join(", ")), &lines, &marks, right)
}

fn plot(caption: &str, lines: &[(&str, Vec<(f64, f64)>)], marks: &[(&str, f64)], right: f64) -> String {
    let top = lines.iter().flat_map(|(_, points)| points).map(|(_, y)| *y).fold(0.001, f64::max);
    let x = |value: f64| LEFT + value / right * (WIDTH - LEFT - 40.0);
    let y = |value: f64| (HEIGHT - BELOW) - value / top * (HEIGHT - BELOW - 12.0);
    let mut plot = format!(
        "<figure><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
        escaped(caption)
    );
    for part in [0.0, 0.5, 1.0] {
        let (value, at) = (top * part, y(top * part));
        let _ = write!(
            plot,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for (name, value) in marks {
        let _ = write!(
            plot,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(*value),
            HEIGHT - 8.0,
            escaped(name)
        );
    }
    for (class, points) in lines {
        let path: Vec<String> =
            points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
        let _ = write!(plot, "<polyline class=\"{class}\" points=\"{}\"/>", path.join(" "));
    }
    let _ = write!(plot, "</svg><figcaption>{}</figcaption></figure>", escaped(caption));
    plot
}
