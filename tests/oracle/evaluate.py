"""Judges events with the KQL evaluator of elastic/detection-rules.

usage: python evaluate.py FOLDER_OF_THE_CHECKOUT

A JSON object a line comes in on standard input: {"query": text, "events": [event, ...]}. A JSON
line goes out for each: a list of true, false or, where the evaluator fails on an event, null; or
the text of the fault where it refuses the query.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(sys.argv[1]) / "lib" / "kql"))

import kql  # noqa: E402  (the path is known only now)


def verdict(holds, event):
    try:
        return bool(holds(event))
    except Exception:
        return None


def answer(line):
    asked = json.loads(line)
    try:
        tree = kql.parse(asked["query"], optimize=False, normalize_kql_keywords=True)
        holds = kql.get_evaluator(tree)
    except Exception as fault:
        return type(fault).__name__ + ": " + str(fault).splitlines()[0]
    return [verdict(holds, event) for event in asked["events"]]


# Lines end with a line feed and nothing else: other line breaks may stand inside of JSON strings.
for line in sys.stdin.buffer.read().split(b"\n"):
    if line:
        print(json.dumps(answer(line)))
