//! The files for Elasticsearch speak of the fields that alerts have.

use serde_json::Value as Json;

use super::{raw, value, wire};
use crate::support::source;

/// Every leaf of a value with its dotted path, arrays opened.
fn leaves<'j>(path: String, json: &'j Json, found: &mut Vec<(String, &'j Json)>) {
    match json {
        Json::Object(members) => {
            for (name, json) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(path, json, found);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| leaves(path.clone(), item, found)),
        leaf => found.push((path, leaf)),
    }
}

/// The mapping type of a path: its own, or that of the flattened object above it.
fn mapped(template: &Json, path: &str) -> Option<String> {
    let mut mapping = &template["template"]["mappings"];
    for name in path.split('.') {
        if mapping["type"] == "flattened" {
            break;
        }
        mapping = &mapping["properties"][name];
    }
    mapping["type"].as_str().map(str::to_owned)
}

#[test]
fn the_index_template_maps_every_field_of_every_golden_file() {
    let root = source::root();
    let read = |path: std::path::PathBuf| -> Json {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("read {path:?}"));
        serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{path:?}: {fault}"))
    };
    let template = read(root.join("config/elastic/index-template.json"));
    let mut checked = 0;
    for entry in std::fs::read_dir(root.join("tests/golden")).expect("there are golden files") {
        let path = entry.expect("an entry").path();
        let golden = read(path.clone());
        let mut found = Vec::new();
        leaves(String::new(), &golden["value"], &mut found);
        let own = |path: &str| path.starts_with("kibana.") || path.starts_with("ouzel.");
        for (field, value) in found.into_iter().filter(|(field, _)| own(field)) {
            let mapping = mapped(&template, &field);
            let fits = match mapping.as_deref() {
                Some("keyword") => value.is_string() || value.is_number() || value.is_null(),
                Some("date") => value.is_string(),
                Some("long") => value.is_i64(),
                Some("float") => value.is_number(),
                Some("boolean") => value.is_boolean(),
                Some("flattened") => true,
                _ => false,
            };
            assert!(fits, "{path:?}: {field} is {value}, mapped as {mapping:?}");
            checked += 1;
        }
    }
    assert!(checked > 1000, "{checked} fields");
}

#[test]
fn the_pipeline_reads_fields_that_alerts_have() {
    let path = source::root().join("config/elastic/ingest-pipeline.json");
    let text = std::fs::read_to_string(path).expect("the pipeline can be read");
    let pipeline: Json = serde_json::from_str(&text).expect("the pipeline is JSON");
    let script = pipeline["processors"][1]["script"]["source"].as_str().expect("a script");
    let alert = value(&wire().alert(raw().to_string().as_bytes()));
    let mut read = 0;
    for field in script.split("ctx['").skip(1).filter_map(|rest| rest.split("']").next()) {
        assert!(alert.get(field).is_some(), "{field}");
        read += 1;
    }
    assert_eq!(read, 3);
    let severities = &pipeline["processors"][1]["script"]["params"]["severities"];
    for severity in ouzel::rule::Severity::ALL {
        assert!(severities[severity.name()].is_i64(), "{}", severity.name());
    }
}
