//! Small charts as SVG text: lines over named places, and stacked bars. For a white page, and to be
//! read in grey as well: each line has a mark and a dash of its own, each part of a bar its shade.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 24.0;
const BOTTOM: f64 = 84.0;
/// What a legend's row takes.
const ROW: f64 = 18.0;
/// Where the caption stands, above the lower edge.
const CAPTION: f64 = 10.0;
/// From dark to light, with hues apart.
const SHADES: [&str; 5] = ["#1f3b5c", "#8c510a", "#4393c3", "#e0a84f", "#d9d9d9"];
const DASHES: [&str; 3] = ["none", "8 4", "2 3"];

/// Lines over the same named places.
pub struct Lines<'a> {
    pub title: &'a str,
    pub across: &'a str,
    pub up: &'a str,
    pub places: Vec<String>,
    pub lines: Vec<(&'a str, Vec<f64>)>,
}

/// Bars of parts, one below the other, each as long as the other: shares of its own whole.
pub struct Bars<'a> {
    pub title: &'a str,
    pub unit: &'a str,
    pub bars: Vec<Bar<'a>>,
}

/// Name, and its parts with their values.
pub type Bar<'a> = (&'a str, Vec<(&'a str, f64)>);

/// A drawing that grows.
struct Page(String);

impl Page {
    fn new(title: &str, caption: &str, height: f64) -> Self {
        let mut page = Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#222222\">\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        ));
        page.put(&format!(
            "<text x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{}</text>",
            escaped(title)
        ));
        page.put(&format!(
            "<text x=\"16\" y=\"{}\" font-size=\"10\" fill=\"#555555\">{}</text>",
            height - CAPTION,
            escaped(caption)
        ));
        page
    }

    fn put(&mut self, element: &str) {
        writeln!(self.0, "{element}").expect("writing into memory cannot fail");
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let text = escaped(text);
        self.put(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), stroke: &str) {
        self.put(&format!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{stroke}\"/>"
        ));
    }

    fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str) {
        self.put(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\" stroke=\"#ffffff\"/>"
        ));
    }

    /// The mark of line number `line`: a disc, a square, a triangle.
    fn mark(&mut self, line: usize, (x, y): (f64, f64), fill: &str) {
        match line {
            0 => {
                self.put(&format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{fill}\"/>"))
            }
            1 => self.rectangle((x - 4.0, y - 4.0), (8.0, 8.0), fill),
            _ => self
                .put(&format!("<path d=\"M{x:.1},{:.1} l5,9 h-10 z\" fill=\"{fill}\"/>", y - 5.0)),
        }
    }

    fn end(self) -> String {
        self.0 + "</svg>\n"
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The next round number that four steps divide well, so that an axis is marked with round numbers.
fn rounded_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1e-9).log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}

/// A number with about three digits.
fn short(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl Lines<'_> {
    pub fn svg(&self, caption: &str) -> String {
        let top = 56.0 + ROW * self.lines.len() as f64;
        let mut page = Page::new(self.title, caption, HEIGHT);
        let most = self.lines.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max);
        // Room above the highest point for its number.
        let most = rounded_up(most * 1.05);
        let place = |at: usize| {
            LEFT + (WIDTH - LEFT - RIGHT) * (at as f64 + 0.5) / self.places.len() as f64
        };
        let height = |value: f64| HEIGHT - BOTTOM - (HEIGHT - top - BOTTOM) * value / most;
        self.axes(&mut page, (most, top), (&place, &height));
        for (line, (name, values)) in self.lines.iter().enumerate() {
            let points: Vec<(f64, f64)> =
                values.iter().enumerate().map(|(at, value)| (place(at), height(*value))).collect();
            self.draw(&mut page, line, &points);
            for ((x, y), value) in points.iter().zip(values) {
                let offset =
                    self.label_offset(line, *value, points.iter().position(|it| it == &(*x, *y)));
                page.text((*x, y + offset), "middle", &short(*value));
            }
            let y = 40.0 + ROW * line as f64;
            self.draw(&mut page, line, &[(LEFT, y), (LEFT + 18.0, y), (LEFT + 36.0, y)]);
            page.text((LEFT + 46.0, y + 4.0), "start", name);
        }
        page.end()
    }

    fn axes(
        &self,
        page: &mut Page,
        (most, top): (f64, f64),
        (place, height): (&dyn Fn(usize) -> f64, &dyn Fn(f64) -> f64),
    ) {
        for part in 0..=4 {
            let value = most * f64::from(part) / 4.0;
            let y = height(value);
            let stroke = if part == 0 { "#222222" } else { "#dddddd" };
            page.line((LEFT, y), (WIDTH - RIGHT, y), stroke);
            let digits = usize::from(most < 10.0) + usize::from(most < 1.0);
            page.text((LEFT - 8.0, y + 4.0), "end", &format!("{value:.digits$}"));
        }
        for (at, name) in self.places.iter().enumerate() {
            let x = place(at);
            page.line((x, HEIGHT - BOTTOM), (x, HEIGHT - BOTTOM + 5.0), "#222222");
            page.text((x, HEIGHT - BOTTOM + 20.0), "middle", name);
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        page.text((middle, HEIGHT - BOTTOM + 42.0), "middle", self.across);
        let y = f64::midpoint(top, HEIGHT - BOTTOM);
        let up = escaped(self.up);
        page.put(&format!(
            "<text transform=\"translate(22,{y:.1}) rotate(-90)\" text-anchor=\"middle\">{up}</text>"
        ));
    }

    fn draw(&self, page: &mut Page, line: usize, points: &[(f64, f64)]) {
        let colour = SHADES.get(line).copied().unwrap_or("#222222");
        let dash = DASHES.get(line).copied().unwrap_or("none");
        let joined: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        page.put(&format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>",
            joined.join(" ")
        ));
        points.iter().for_each(|point| page.mark(line, *point, colour));
    }

    /// A number stands above its point, or below where another line's point is close above.
    fn label_offset(&self, own: usize, value: f64, at: Option<usize>) -> f64 {
        let most = self.lines.iter().flat_map(|(_, values)| values).copied().fold(0.0, f64::max);
        let above = self.lines.iter().enumerate().any(|(line, (_, values))| {
            let other = at.and_then(|at| values.get(at)).copied().unwrap_or(f64::NAN);
            let is_above = other > value || (other >= value && line < own);
            line != own && is_above && other - value < most / 8.0
        });
        if above { 18.0 } else { -9.0 }
    }
}

impl Bars<'_> {
    pub fn svg(&self, caption: &str) -> String {
        const BAR: f64 = 34.0;
        let rows: f64 =
            self.bars.iter().map(|(_, parts)| 86.0 + BAR + ROW * parts.len() as f64).sum();
        let mut page = Page::new(self.title, caption, 40.0 + rows + 24.0);
        let (left, width) = (16.0, WIDTH - 32.0);
        let mut y = 56.0;
        for (name, parts) in &self.bars {
            let whole: f64 = parts.iter().map(|(_, value)| value).sum();
            let unit = self.unit;
            page.text((left, y), "start", &format!("{name}: {} {unit}", short(whole)));
            y += 8.0;
            let mut x = left;
            for ((_, value), shade) in parts.iter().zip(SHADES) {
                let part = width * value / whole;
                page.rectangle((x, y), (part, BAR), shade);
                x += part;
            }
            y += BAR;
            self.scale(&mut page, (left, y), width, whole);
            y += 30.0;
            for ((part, value), shade) in parts.iter().zip(SHADES) {
                page.rectangle((left, y), (12.0, 12.0), shade);
                let share = 100.0 * value / whole;
                let line = format!("{part}: {} {unit}, {share:.0} %", short(*value));
                page.text((left + 20.0, y + 10.5), "start", &line);
                y += ROW;
            }
            y += 48.0;
        }
        page.end()
    }

    /// The axis below a bar, from nothing to its whole.
    fn scale(&self, page: &mut Page, (left, y): (f64, f64), width: f64, whole: f64) {
        let step = rounded_up(whole / 5.0);
        let mut value = 0.0;
        while value <= whole {
            let x = left + width * value / whole;
            page.line((x, y), (x, y + 5.0), "#222222");
            let anchor = if value == 0.0 { "start" } else { "middle" };
            if x < left + width - 12.0 {
                page.text((x, y + 18.0), anchor, &format!("{value:.0} {}", self.unit));
            }
            value += step;
        }
    }
}
