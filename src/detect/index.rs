//! Many rules: which programs can hold for this event.
//!
//! ```text
//! rule ─▶ a field and texts of which it must hold one ─▶ field ─┬─ text that it is ────▶ rules
//!                                                               └─ text it begins with ─▶ rules
//! event ─▶ each such field's values, looked up ─▶ those rules, and the rules without such a field
//! ```
//!
//! Contract: over-approximates. A rule that is not selected cannot hold; the ones that are get
//! evaluated. So an event costs a look-up for each field that rules hang on and each of its values,
//! not a step for each rule. Where a value is no text (a number can be equal to a text that spells
//! it), all rules of its field are selected.
//!
//! Of several fields that a rule could hang on, it hangs on the one whose texts the fewest rules ask
//! for: of `event.dataset:okta.system and event.action:some.action`, on the action.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use bumpalo::collections::Vec as ArenaVec;

use super::compile::{Clause, Objects, Program, StepKind};
use super::matcher::Matcher;
use crate::event::{Arena, Event, FieldPath, Value, visit_members};

/// Selects programs by the values of an event.
#[derive(Debug, Default)]
pub(super) struct Index {
    fields: Box<[Field]>,
    /// Programs that hang on no field.
    always: Box<[u32]>,
}

/// The programs that hang on one field.
#[derive(Debug)]
struct Field {
    path: FieldPath,
    by_text: HashMap<Box<str>, Vec<u32>>,
    /// Ascending by text.
    by_beginning: Vec<Beginning>,
    all: Vec<u32>,
}

#[derive(Debug)]
struct Beginning {
    text: Box<str>,
    programs: Vec<u32>,
    /// The longest other beginning that this one begins with.
    shorter: Option<usize>,
}

/// What a value must be, or begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Test {
    Is(Box<str>),
    Begins(Box<str>),
}

/// A field, and tests of which one must hold for one of its values.
type Hook = (FieldPath, Vec<Test>);

impl Index {
    pub(super) fn new<'p>(programs: impl Iterator<Item = &'p Program>) -> Self {
        let hooks: Vec<Vec<Hook>> = programs.map(|program| hooks(program, 0)).collect();
        let mut asked: BTreeMap<(FieldPath, Test), usize> = BTreeMap::new();
        for (path, tests) in hooks.iter().flatten() {
            for test in tests {
                *asked.entry((path.clone(), test.clone())).or_default() += 1;
            }
        }
        let askers = |(path, tests): &Hook| -> usize {
            let count = |test: &Test| asked.get(&(path.clone(), test.clone())).copied();
            tests.iter().filter_map(count).sum()
        };
        let mut always = Vec::new();
        let mut fields: BTreeMap<FieldPath, Vec<(u32, Vec<Test>)>> = BTreeMap::new();
        for (at, hooks) in (0..).zip(&hooks) {
            match hooks.iter().min_by_key(|hook| askers(hook)) {
                Some((path, tests)) => {
                    fields.entry(path.clone()).or_default().push((at, tests.clone()));
                }
                None => always.push(at),
            }
        }
        let fields = fields.into_iter().map(|(path, programs)| Field::new(path, programs));
        Self { fields: fields.collect(), always: always.into() }
    }

    /// The programs that can hold for `event`, ascending, each once.
    pub(super) fn select<'a>(&self, event: &Event<'_>, arena: &'a Arena) -> &'a [u32] {
        let mut selected = ArenaVec::new_in(arena);
        selected.extend_from_slice(&self.always);
        for field in &self.fields {
            let _ = visit_members(event.fields, field.path.segments(), &mut |value| {
                field.select(value, &mut selected);
                ControlFlow::<()>::Continue(())
            });
        }
        selected.sort_unstable();
        selected.dedup();
        selected.into_bump_slice()
    }
}

impl Field {
    fn new(path: FieldPath, programs: Vec<(u32, Vec<Test>)>) -> Self {
        let mut by_text: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        let mut beginnings: BTreeMap<Box<str>, Vec<u32>> = BTreeMap::new();
        let all = programs.iter().map(|(at, _)| *at).collect();
        for (at, tests) in programs {
            for test in tests {
                match test {
                    Test::Is(text) => by_text.entry(text).or_default().push(at),
                    Test::Begins(text) => beginnings.entry(text).or_default().push(at),
                }
            }
        }
        let mut by_beginning: Vec<Beginning> = Vec::new();
        for (text, programs) in beginnings {
            let shorter = longest_beginning(&by_beginning, by_beginning.len(), &text);
            by_beginning.push(Beginning { text, programs, shorter });
        }
        Self { path, by_text, by_beginning, all }
    }

    /// Appends the programs that hang on `value`, or on a value in it.
    fn select(&self, value: Value<'_>, selected: &mut ArenaVec<'_, u32>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.select(*item, selected)),
            // Objects and nulls are no values of the clauses that programs hang on.
            Value::Object(_) | Value::Null => {}
            Value::Text(text) => {
                selected.extend(self.by_text.get(text).into_iter().flatten());
                // What `text` begins with stands before it or is it.
                let before = self.by_beginning.partition_point(|one| *one.text <= *text);
                let mut next = longest_beginning(&self.by_beginning, before, text);
                while let Some(one) = next.and_then(|at| self.by_beginning.get(at)) {
                    selected.extend(&one.programs);
                    next = one.shorter;
                }
            }
            _ => selected.extend(&self.all),
        }
    }
}

/// The longest beginning of `text` among the first `before` of `sorted`, all of which stand before
/// `text` or are it. A beginning of `text` that is shorter than the last of them is one of that as
/// well, so it is found by going from each to its own longest one.
fn longest_beginning(sorted: &[Beginning], before: usize, text: &str) -> Option<usize> {
    let mut next = before.checked_sub(1);
    while let Some((at, one)) = next.and_then(|at| Some((at, sorted.get(at)?))) {
        if text.starts_with(&*one.text) {
            return Some(at);
        }
        next = one.shorter;
    }
    None
}

/// The hooks that a step of a program has: it holds only where each of them does.
fn hooks(program: &Program, at: usize) -> Vec<Hook> {
    match program.steps.get(at).map(|step| step.kind) {
        Some(StepKind::And) => {
            program.operands(at).flat_map(|operand| hooks(program, operand)).collect()
        }
        Some(StepKind::Or) => any_of(program.operands(at).map(|operand| hooks(program, operand))),
        Some(StepKind::Clause(clause)) => {
            program.clauses.get(clause).and_then(hook).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// The hooks of a disjunction: for each field that all operands have, the tests of all.
fn any_of(mut operands: impl Iterator<Item = Vec<Hook>>) -> Vec<Hook> {
    let mut shared = operands.next().unwrap_or_default();
    for operand in operands {
        shared.retain_mut(|(path, tests)| {
            let other = operand.iter().find(|(other, _)| other == path);
            tests.extend(other.iter().flat_map(|(_, tests)| tests.iter().cloned()));
            other.is_some()
        });
    }
    for (_, tests) in &mut shared {
        tests.sort();
        tests.dedup();
    }
    shared
}

fn hook(clause: &Clause) -> Option<Hook> {
    let Clause::Path { path, matcher, objects: Objects::Skip, .. } = clause else { return None };
    let test = match matcher {
        Matcher::Equals { text, .. } => Test::Is(text.clone()),
        Matcher::Like(pattern) => match pattern.pieces().first() {
            Some(beginning) if !beginning.is_empty() => Test::Begins(beginning.as_str().into()),
            _ => return None,
        },
        _ => return None,
    };
    Some((path.clone(), vec![test]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::detect::support_tests::{NOW, query, types, with_event};

    fn programs(queries: &[&str]) -> Vec<Program> {
        queries.iter().map(|text| Program::compile(&query(text), &types())).collect()
    }

    fn selected(queries: &[&str], event: &str) -> Vec<u32> {
        let index = Index::new(programs(queries).iter());
        with_event(event, |event| index.select(event, &Arena::new()).to_vec())
    }

    #[test]
    fn rules_hang_on_what_the_fewest_ask_for() {
        let rules = [
            "c:all and a:one",
            "c:all and a:two",
            "c:all and a:(one or three)",
            "c:all and not a:one",
            "a:o* and n > 5",
            "a:on* and n > 5",
            "a:*e",
            "not a:one",
        ];
        let check = |event: &str, expected: &[u32]| assert_eq!(selected(&rules, event), expected);
        check(r#"{"a":"one","c":"all"}"#, &[0, 2, 3, 4, 5, 6, 7]);
        check(r#"{"a":"two","c":"all"}"#, &[1, 3, 6, 7]);
        check(r#"{"a":["two","three"]}"#, &[1, 2, 6, 7]);
        check(r#"{"a":"ox"}"#, &[4, 6, 7]);
        check(r#"{"b":"one"}"#, &[6, 7]);
        check(r#"{"a":5}"#, &[0, 1, 2, 4, 5, 6, 7]);
    }

    #[test]
    fn each_beginning_is_found() {
        let rules = ["a:a*", "a:ab*", "a:abc*", "a:abd*", "a:ac*", "a:b*", "a:abce*"];
        let check = |value: &str, expected: &[u32]| {
            assert_eq!(selected(&rules, &format!("{{\"a\":\"{value}\"}}")), expected, "{value}");
        };
        check("a", &[0]);
        check("ab", &[0, 1]);
        check("abcd", &[0, 1, 2]);
        check("abcz", &[0, 1, 2]);
        check("abd", &[0, 1, 3]);
        check("abz", &[0, 1]);
        check("az", &[0]);
        check("bz", &[5]);
        check("c", &[]);
    }

    const RULES: [&str; 12] = [
        "a:x",
        "a:(x or y*) and b:x",
        "a:x or b:x",
        "a:5",
        "a:true and not b:y",
        "a:* and b:y",
        "not a:x",
        "a:xy* or a:x",
        "a:x and (a:y or a:xyz)",
        "a:x*z and b:(x or y)",
        "n > 4 and a:x",
        "list:{ x:x and y:y } and a:y",
    ];

    proptest! {
        #[test]
        fn whatever_holds_is_selected(
            values in proptest::collection::vec(
                (proptest::sample::select(&["a", "b", "n"][..]),
                 proptest::sample::select(&["\"x\"", "\"y\"", "\"xyz\"", "5", "true", "null",
                    "[\"x\",\"y\"]", "[5,\"xyz\"]", "{\"x\":\"x\"}", "\"5\"", "\"true\""][..])),
                0..5),
        ) {
            let members: Vec<String> =
                values.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            let text = format!("{{\"list\":[{{\"x\":\"x\",\"y\":\"y\"}}],{}}}", members.join(","))
                .replace(",}", "}");
            let programs = programs(&RULES);
            let index = Index::new(programs.iter());
            with_event(&text, |event| {
                let selected = index.select(event, &Arena::new()).to_vec();
                for (at, program) in (0..).zip(&programs) {
                    if program.holds(event, NOW) {
                        assert!(selected.contains(&at), "{} {text}", RULES[at as usize]);
                    }
                }
            });
        }
    }
}
