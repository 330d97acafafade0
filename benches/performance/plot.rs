//! A plot that stands by itself: how some times grow with what there is.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 64.0;
const BELOW: f64 = 44.0;
const ABOVE: f64 = 24.0;
/// Room for the names of the lines.
const RIGHT: f64 = 210.0;
const COLOURS: [&str; 8] =
    ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d35400", "#555555", "#b8860b", "#16a085"];

/// Lines over a few sizes, which stand side by side at equal steps; the height of a point is its value, from nothing up.
pub fn lines(title: &str, unit: &str, sizes: &[String], lines: &[(String, Vec<f64>)]) -> String {
    let most =
        lines.iter().flat_map(|(_, values)| values).fold(1.0_f64, |most, &value| most.max(value)) * 1.08;
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    let x = |at: usize| LEFT + (WIDTH - LEFT - RIGHT) * at as f64 / (sizes.len().max(2) - 1) as f64;
    let y = |value: f64| ABOVE + (HEIGHT - ABOVE - BELOW) * (1.0 - value / most);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\" \
         role=\"img\" aria-label=\"{title}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let (at, end) = (y(value), WIDTH - RIGHT);
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}H{end}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1} {unit}</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    for (at, size) in sizes.iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{size}</text>",
            x(at),
            HEIGHT - BELOW + 20.0
        );
    }
    // Names stand beside the ends of their lines, and none on another.
    let mut names: Vec<(f64, &str, &str)> = Vec::new();
    for ((name, values), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<String> =
            values.iter().enumerate().map(|(at, value)| format!("{:.1},{:.1}", x(at), y(*value))).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        for point in &points {
            let (cx, cy) = point.split_once(',').unwrap_or_default();
            let _ = writeln!(svg, "<circle cx=\"{cx}\" cy=\"{cy}\" r=\"3\" fill=\"{colour}\"/>");
        }
        names.push((y(values.last().copied().unwrap_or(0.0)), name, colour));
    }
    names.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut free = f64::NEG_INFINITY;
    for (at, name, colour) in names {
        let at = at.max(free);
        free = at + 15.0;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>",
            WIDTH - RIGHT + 10.0,
            at + 4.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}
