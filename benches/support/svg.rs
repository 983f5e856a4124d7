//! Small charts as SVG text: lines over named places, and stacked bars.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 7] =
    ["#33658a", "#f6ae2d", "#86bbd8", "#758e4f", "#f26419", "#7d5ba6", "#999999"];

/// Lines over the same named places.
pub struct Lines<'a> {
    pub title: &'a str,
    pub across: &'a str,
    pub up: &'a str,
    pub places: Vec<String>,
    pub lines: Vec<(&'a str, Vec<f64>)>,
}

/// Bars of parts, one below the other.
pub struct Bars<'a> {
    pub title: &'a str,
    pub unit: &'a str,
    pub bars: Vec<(&'a str, Vec<(&'a str, f64)>)>,
}

fn begin(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"14\" font-weight=\"bold\">{title}</text>\n"
    )
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")
        .expect("writing into memory cannot fail");
}

/// The next 1, 2 or 5 times a power of ten, so that an axis ends with a round number.
fn rounded_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

impl Lines<'_> {
    pub fn svg(&self) -> String {
        let mut out = begin(self.title, HEIGHT);
        let most = self.lines.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max);
        let top = rounded_up(most);
        let x = |at: usize| {
            LEFT + (WIDTH - LEFT - RIGHT) * (at as f64 + 0.5) / self.places.len() as f64
        };
        let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top;
        for part in 0..=4 {
            let value = top * f64::from(part) / 4.0;
            let at = y(value);
            writeln!(
                out,
                "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#dddddd\"/>",
                WIDTH - RIGHT
            )
            .expect("writing into memory cannot fail");
            text(&mut out, (LEFT - 6.0, at + 4.0), "end", &format!("{value}"));
        }
        for (at, place) in self.places.iter().enumerate() {
            text(&mut out, (x(at), HEIGHT - BOTTOM + 16.0), "middle", place);
        }
        text(&mut out, (WIDTH / 2.0, HEIGHT - 12.0), "middle", self.across);
        text(&mut out, (6.0, TOP - 6.0), "start", self.up);
        for ((name, values), colour) in self.lines.iter().zip(COLOURS) {
            let points: Vec<String> = values
                .iter()
                .enumerate()
                .map(|(at, value)| format!("{:.1},{:.1}", x(at), y(*value)))
                .collect();
            writeln!(
                out,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                points.join(" ")
            )
            .expect("writing into memory cannot fail");
            for (at, value) in values.iter().enumerate() {
                writeln!(
                    out,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                    x(at),
                    y(*value)
                )
                .expect("writing into memory cannot fail");
                text(&mut out, (x(at), y(*value) - 8.0), "middle", &short(*value));
            }
            if let Some(last) = values.last() {
                text(&mut out, (WIDTH - RIGHT, y(*last) + 18.0), "end", name);
            }
        }
        out + "</svg>\n"
    }
}

/// A number with about three digits.
fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

impl Bars<'_> {
    pub fn svg(&self) -> String {
        const BAR: f64 = 34.0;
        const LEGEND: f64 = 18.0;
        let rows: f64 =
            self.bars.iter().map(|(_, parts)| BAR + 30.0 + LEGEND * parts.len() as f64).sum();
        let mut out = begin(self.title, TOP + rows + 10.0);
        let mut y = TOP + 6.0;
        for (name, parts) in &self.bars {
            let whole: f64 = parts.iter().map(|(_, value)| value).sum();
            text(
                &mut out,
                (LEFT, y + 8.0),
                "start",
                &format!("{name}: {} {}", short(whole), self.unit),
            );
            y += 14.0;
            let mut x = LEFT;
            for ((_, value), colour) in parts.iter().zip(COLOURS) {
                let width = (WIDTH - LEFT - RIGHT) * value / whole;
                writeln!(
                    out,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"
                )
                .expect("writing into memory cannot fail");
                x += width;
            }
            y += BAR + 4.0;
            for ((part, value), colour) in parts.iter().zip(COLOURS) {
                writeln!(
                    out,
                    "<rect x=\"{LEFT}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>",
                    y + 4.0
                )
                .expect("writing into memory cannot fail");
                let line = format!("{part}: {} {}", short(*value), self.unit);
                text(&mut out, (LEFT + 16.0, y + 13.0), "start", &line);
                y += LEGEND;
            }
            y += 12.0;
        }
        out + "</svg>\n"
    }
}
