//! The investigation guide with its plug-ins in place.
//!
//! A file's `[transform]` holds buttons for Kibana's guide (Osquery, Investigate), and its `note`
//! says where they belong: `$osquery_0`, `${investigate_1}`. Elastic's build of the rules puts
//! them there as `!{osquery{…}}`; so that a guide reads alike, the same is done here.

use serde_json::Value as Json;

/// The guide, each mark replaced by what `transform` has for it; other marks stay.
pub(super) fn render(note: String, transform: &serde_json::Map<String, Json>) -> String {
    if transform.is_empty() || !note.contains('$') {
        return note;
    }
    let mut out = String::with_capacity(note.len() * 2);
    let mut rest = note.as_str();
    while let Some(at) = rest.find('$') {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        match plug_in(mark, transform) {
            Some((text, length)) => {
                out.push_str(&text);
                rest = mark.get(length..).unwrap_or_default();
            }
            None => {
                out.push('$');
                rest = mark.strip_prefix('$').unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// What `mark`, which begins with `$`, stands for, and how long the mark is.
fn plug_in(mark: &str, transform: &serde_json::Map<String, Json>) -> Option<(String, usize)> {
    let inner = mark.strip_prefix('$')?;
    let (name_and_rest, is_braced) = match inner.strip_prefix('{') {
        Some(inner) => (inner, true),
        None => (inner, false),
    };
    let is_name = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_';
    let name = name_and_rest.split(|symbol| !is_name(symbol)).next()?;
    let behind = name_and_rest.get(name.len()..)?;
    if is_braced && !behind.starts_with('}') {
        return None;
    }
    let (kind, number) = name.rsplit_once('_')?;
    let entry = transform.get(kind)?.get(number.parse::<usize>().ok()?)?;
    let length = 1 + name.len() + if is_braced { 2 } else { 0 };
    Some((format!("!{{{kind}{entry}}}"), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_plug_ins_and_other_dollars_stay() {
        let transform =
            serde_json::json!({"osquery": [{"label": "a", "query": "q"}, {"label": "b"}]});
        let transform = transform.as_object().expect("an object");
        let check = |note: &str, expected: &str| {
            assert_eq!(render(note.to_owned(), transform), expected, "{note}");
        };
        check("no mark", "no mark");
        check("x $osquery_0.", "x !{osquery{\"label\":\"a\",\"query\":\"q\"}}.");
        check(
            "${osquery_1}1 $osquery_1",
            "!{osquery{\"label\":\"b\"}}1 !{osquery{\"label\":\"b\"}}",
        );
        check("$osquery_12 $5 $ ${osquery_1", "$osquery_12 $5 $ ${osquery_1");
    }
}
