//! Decides over a history: what was lost, repeated, reordered, committed too far, or is wrong.
//!
//! Pure: a history comes in, findings go out. A checker that finds nothing wrong in anything would
//! be worth nothing, so `doctored` puts each kind of fault into a history and looks for it here.

use std::collections::BTreeMap;

use super::broker::Broker;

/// Which topic an output is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Alert,
    DeadLetter,
}

impl Kind {
    /// The kind of the output with this id.
    pub fn of(id: &str) -> Self {
        if id.starts_with("dead letter") { Self::DeadLetter } else { Self::Alert }
    }
}

/// A record of which something must come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub partition: i32,
    pub offset: i64,
    pub sha256: String,
    pub bytes: usize,
}

/// An alert or a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub kind: Kind,
    pub id: String,
    /// Its own partition and offset.
    pub at: (i32, i64),
    /// Where it says that it comes from.
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Of the payload that it comes from.
    pub sha256: String,
    pub bytes: usize,
    /// An alert's key is its id; a dead letter gives the reason that the feed expects.
    pub has_right_key: bool,
}

/// What was committed at one moment, and where the outputs ended a moment later.
#[derive(Clone, Debug)]
pub struct Commits {
    pub committed: BTreeMap<i32, i64>,
    pub ends: BTreeMap<(Kind, i32), i64>,
    /// Whether no stage was running: then nothing before these offsets may come again.
    pub is_at_rest: bool,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct History {
    pub topic: String,
    /// Records of the input, clean ones counted in.
    pub records: usize,
    /// By the id of the output that must come.
    pub inputs: BTreeMap<String, Input>,
    /// Those of one partition in their order.
    pub outputs: Vec<Output>,
    pub commits: Vec<Commits>,
}

/// What is wrong, or at least worth a count; a line for each case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Inputs without their output.
    pub lost: Vec<String>,
    /// Outputs past the first of an id.
    pub repeated: Vec<String>,
    /// Repeats of records that had been committed while nothing was running.
    pub needless: Vec<String>,
    /// Outputs that no input accounts for.
    pub invented: Vec<String>,
    /// Outputs whose position, hash, size, key or reason is not that of their record.
    pub wrong: Vec<String>,
    /// First outputs that stand behind the output of a later record of the same partition: so one
    /// key's alerts are out of order.
    pub reordered: Vec<String>,
    /// Inputs before a committed offset, whose outputs were not there yet.
    pub committed_too_far: Vec<String>,
}

impl Findings {
    /// Fails where anything was found but repeats of what had not been committed.
    pub fn nothing_but_repeats(&self) -> Result<(), String> {
        let kinds = [
            ("lost", &self.lost),
            ("repeated although committed", &self.needless),
            ("invented", &self.invented),
            ("wrong", &self.wrong),
            ("out of order", &self.reordered),
            ("committed too far", &self.committed_too_far),
        ];
        let found: Vec<String> = kinds
            .iter()
            .filter(|(_, lines)| !lines.is_empty())
            .map(|(kind, lines)| format!("{} {kind}, such as {}", lines.len(), lines[0]))
            .collect();
        if found.is_empty() { Ok(()) } else { Err(found.join("; ")) }
    }
}

/// Compares what came with what must come.
pub fn check(history: &History) -> Findings {
    let mut findings = Findings::default();
    // By id, the first place in each partition of outputs is where it was there for the first time.
    let mut first: BTreeMap<&str, &Output> = BTreeMap::new();
    // By partition of the output and of the input: the latest record whose output has come.
    let mut latest: BTreeMap<(Kind, i32, i32), i64> = BTreeMap::new();
    for output in &history.outputs {
        let id = &output.id;
        let Some(input) = history.inputs.get(id) else {
            findings.invented.push(format!("{id} from {}@{}", output.partition, output.offset));
            continue;
        };
        if !is_right(history, output, input) {
            findings.wrong.push(format!("{output:?} for {input:?}"));
        }
        if first.contains_key(&**id) {
            findings.repeated.push(id.clone());
            continue;
        }
        first.insert(id, output);
        let latest = latest.entry((output.kind, output.at.0, input.partition)).or_insert(-1);
        if input.offset < *latest {
            findings.reordered.push(format!("{id} of {input:?} after that of offset {latest}"));
        }
        *latest = (*latest).max(input.offset);
    }
    let missing = history.inputs.iter().filter(|(id, _)| !first.contains_key(id.as_str()));
    findings.lost = missing.map(|(id, input)| format!("{id} of {input:?}")).collect();
    for commits in &history.commits {
        check_commits(history, &first, commits, &mut findings);
    }
    findings
}

fn is_right(history: &History, output: &Output, input: &Input) -> bool {
    output.has_right_key
        && output.topic == history.topic
        && output.partition == input.partition
        && output.offset == input.offset
        && output.sha256 == input.sha256
        && output.bytes == input.bytes
}

fn check_commits(
    history: &History,
    first: &BTreeMap<&str, &Output>,
    commits: &Commits,
    findings: &mut Findings,
) {
    let is_committed = |partition: i32, offset: i64| {
        commits.committed.get(&partition).is_some_and(|committed| offset < *committed)
    };
    let was_there = |output: &Output| {
        commits.ends.get(&(output.kind, output.at.0)).is_some_and(|end| output.at.1 < *end)
    };
    for (id, input) in &history.inputs {
        if is_committed(input.partition, input.offset)
            && !first.get(id.as_str()).is_some_and(|output| was_there(output))
        {
            findings.committed_too_far.push(format!("{id} of {input:?}"));
        }
    }
    if !commits.is_at_rest {
        return;
    }
    let needless = history.outputs.iter().filter(|output| {
        !was_there(output)
            && is_committed(output.partition, output.offset)
            && first.get(output.id.as_str()).is_some_and(|first| was_there(first))
    });
    findings.needless.extend(needless.map(|output| format!("{} at {:?}", output.id, output.at)));
}

/// Each kind of fault, put into a true history on purpose, is found, and no other one.
pub fn doctored_histories_are_found(_: &Broker) -> Result<String, String> {
    let mut kinds = 0;
    let mut check = |what: &str, doctor: fn(&mut History), expect: fn(&Findings) -> usize| {
        kinds += 1;
        let mut history = true_history();
        doctor(&mut history);
        let findings = check(&history);
        let all = count_of_all(&findings);
        // Some faults are another one as well: a repeat although committed is a repeat.
        let is_alone = all == 1 || (all == 2 && findings.needless.len() == 1);
        if expect(&findings) == 1 && is_alone {
            return Ok(());
        }
        Err(format!("{what}: found {findings:?}"))
    };
    check("a lost alert", |it| drop(it.outputs.remove(2)), |it| it.lost.len())?;
    check("a lost dead letter", |it| drop(it.outputs.pop()), |it| it.lost.len())?;
    check("a repeat", |it| it.outputs.push(alert("c", 3, 9)), |it| it.repeated.len())?;
    check("a repeat although committed", needless, |it| it.needless.len())?;
    check("an invention", |it| it.outputs.push(alert("z", 9, 9)), |it| it.invented.len())?;
    check("a wrong position", |it| it.outputs[2].offset = 4, |it| it.wrong.len())?;
    check("a wrong partition", |it| it.outputs[2].partition = 1, |it| it.wrong.len())?;
    check("a wrong topic", |it| it.outputs[2].topic.push('x'), |it| it.wrong.len())?;
    check("a wrong key or reason", |it| it.outputs[2].has_right_key = false, |it| it.wrong.len())?;
    check("wrong bytes", |it| it.outputs[3].sha256 = hash(7), |it| it.wrong.len())?;
    check("a wrong size", |it| it.outputs[3].bytes = 8, |it| it.wrong.len())?;
    check("a wrong order", |it| it.outputs.swap(0, 1), |it| it.reordered.len())?;
    check(
        "a commit too far",
        |it| it.commits[0].committed.extend([(0, 4)]),
        |it| it.committed_too_far.len(),
    )?;
    check(
        "a commit past a dead letter",
        |it| it.commits[0].committed.extend([(1, 6)]),
        |it| it.committed_too_far.len(),
    )?;
    let findings = super::checker::check(&true_history());
    if count_of_all(&findings) > 0 {
        return Err(format!("a true history: found {findings:?}"));
    }
    Ok(format!("{kinds} doctored histories, each found; nothing found in the true one"))
}

fn count_of_all(findings: &Findings) -> usize {
    let Findings { lost, repeated, needless, invented, wrong, reordered, committed_too_far } =
        findings;
    [lost, repeated, needless, invented, wrong, reordered, committed_too_far]
        .iter()
        .map(|lines| lines.len())
        .sum()
}

/// Three alerts and a dead letter; the first two alerts were committed before the third came.
fn true_history() -> History {
    let input = |partition, offset| Input { partition, offset, sha256: hash(offset), bytes: 9 };
    let letter = Output {
        kind: Kind::DeadLetter,
        id: "dead letter 1@5".to_owned(),
        at: (0, 0),
        partition: 1,
        ..alert("", 5, 0)
    };
    let inputs = [
        ("a", input(0, 1)),
        ("b", input(0, 2)),
        ("c", input(0, 3)),
        ("dead letter 1@5", input(1, 5)),
    ];
    History {
        topic: "t".to_owned(),
        records: 9,
        inputs: inputs.map(|(id, input)| (id.to_owned(), input)).into(),
        outputs: vec![alert("a", 1, 0), alert("b", 2, 1), alert("c", 3, 2), letter],
        commits: vec![Commits {
            committed: BTreeMap::from([(0, 3), (1, 5)]),
            ends: BTreeMap::from([((Kind::Alert, 0), 2), ((Kind::DeadLetter, 0), 0)]),
            is_at_rest: true,
        }],
    }
}

fn needless(history: &mut History) {
    history.outputs.push(alert("a", 1, 9));
}

fn alert(id: &str, offset: i64, at: i64) -> Output {
    Output {
        kind: Kind::Alert,
        id: id.to_owned(),
        at: (0, at),
        topic: "t".to_owned(),
        partition: 0,
        offset,
        sha256: hash(offset),
        bytes: 9,
        has_right_key: true,
    }
}

fn hash(offset: i64) -> String {
    format!("{offset:064x}")
}
