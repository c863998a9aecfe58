// SPDX-License-Identifier: GPL-2.0-or-later
//! A campaign's result, for people and for programs.

use lguest_shadow::Fix;
use serde_json::{Map, Value, json};

use crate::campaign::{Options, Report};
use crate::exit::Exit;
use crate::findings::{IDS, like};
use crate::rig::{Subject, mode_name};
use crate::tally::Tally;
use crate::witness::repeat;

/// Version of the JSON object.
const SCHEMA: u32 = 1;

/// Prints the result on stdout.
pub fn print(options: &Options, report: &Report) {
    let seconds = report.elapsed.as_secs_f64();
    for (mode, tally) in report
        .tallies
        .iter()
        .filter(|(_, tally)| tally.scenarios > 0)
    {
        println!(
            "{:5} {} scenarios, {} steps, {} events; {} killed, {} host bugs, {} stuck, {} known; {} divergences, {} breaches",
            mode_name(*mode),
            tally.scenarios,
            tally.steps,
            tally.events,
            tally.killed,
            tally.host_bugs,
            tally.stuck,
            tally.known,
            tally.divergences,
            tally.breaches
        );
    }
    let known: Vec<String> = IDS
        .into_iter()
        .enumerate()
        .map(|(i, id)| {
            let count = |(_, tally): &(_, Tally)| tally.by_finding[i];
            (id, report.tallies.iter().map(count).sum::<u64>())
        })
        .filter(|(_, count)| *count != 0)
        .map(|(id, count)| format!("{id} {count}"))
        .collect();
    if !known.is_empty() {
        println!("known: scenarios by finding: {}", known.join(", "));
    }
    let departures: u64 = report.tallies.iter().map(|(_, t)| t.departures).sum();
    if departures != 0 {
        let by_fix = Fix::ALL.into_iter().enumerate().map(|(i, fix)| {
            let count: u64 = report.tallies.iter().map(|(_, t)| t.by_fix[i]).sum();
            format!("{} {count}", fix.id())
        });
        println!(
            "{departures} scenarios depart from the original, as fixes explain: {}",
            by_fix.collect::<Vec<_>>().join(", ")
        );
    }
    let steps: u64 = report.tallies.iter().map(|(_, tally)| tally.steps).sum();
    println!(
        "campaign: seed {}, {} threads, {seconds:.1} s, {:.0} steps a second{}",
        options.seed,
        options.threads,
        steps as f64 / seconds.max(1e-9),
        if report.interrupted {
            ", interrupted"
        } else {
            ""
        }
    );
    for (class, record) in &report.classes {
        let step = record
            .first
            .1
            .map_or("start".into(), |step| format!("step {}", step + 1));
        let like = like(class).map_or(String::new(), |id| format!("; so shows finding {id}"));
        println!(
            "{} {class}: {} times, first in scenario {}, {step}{like}",
            class.id(),
            record.count,
            record.first.0
        );
        for (_, file) in &record.files {
            println!("  {}", repeat(file, options.subject));
        }
        if let Some(minimal) = &record.minimal {
            let how = if minimal.whole {
                "1-minimal"
            } else {
                "not minimal: time"
            };
            println!(
                "  {}   # {} steps, {how}",
                repeat(&minimal.file, options.subject),
                minimal.steps
            );
        }
    }
}

/// The same as one JSON object.
pub fn json(options: &Options, report: &Report, exit: Exit) -> Value {
    let seconds = report.elapsed.as_secs_f64();
    let modes: Map<String, Value> = report
        .tallies
        .iter()
        .map(|(mode, tally)| {
            let mut counts = json!({
                "scenarios": tally.scenarios,
                "steps": tally.steps,
                "events": tally.events,
                "killed": tally.killed,
                "host_bugs": tally.host_bugs,
                "stuck": tally.stuck,
                "divergences": tally.divergences,
                "breaches": tally.breaches,
                "known": tally.known,
                "findings": Value::Object(IDS.into_iter().map(str::to_owned).zip(tally.by_finding.map(Value::from)).collect()),
                "steps_per_second": tally.steps as f64 / seconds.max(1e-9),
            });
            if let Subject::Hardened { .. } = options.subject {
                let by_fix = Fix::ALL.into_iter().map(Fix::id).zip(tally.by_fix);
                counts["departures"] = by_fix
                    .map(|(id, n)| (id.to_owned(), Value::from(n)))
                    .collect();
            }
            (mode_name(*mode).to_owned(), counts)
        })
        .collect();
    let classes: Vec<Value> = report
        .classes
        .iter()
        .map(|(class, record)| {
            let file = record
                .files
                .first()
                .map(|(_, file)| file.display().to_string());
            json!({
                "id": class.id(),
                "class": class.to_string(),
                "like": like(class),
                "count": record.count,
                "scenario": record.first.0,
                "step": record.first.1,
                "file": file,
                "command": record.files.first().map(|(_, file)| repeat(file, options.subject)),
                "minimal": record.minimal.as_ref().map(|minimal| json!({
                    "file": minimal.file.display().to_string(),
                    "steps": minimal.steps,
                    "one_minimal": minimal.whole,
                    "command": repeat(&minimal.file, options.subject),
                })),
            })
        })
        .collect();
    let reference = lguest_c_reference::reference().map(|reference| {
        json!({ "path": reference.path, "sha256": reference.sha256, "pinned": reference.pinned })
    });
    json!({
        "schema": SCHEMA,
        "exit": exit.code(),
        "seed": options.seed,
        "threads": options.threads,
        "seconds": seconds,
        "reference": reference,
        "modes": modes,
        "classes": classes,
    })
}
