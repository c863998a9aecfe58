// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff seeds`: inputs for the fuzz targets to begin with.

use std::collections::BTreeMap;
use std::fs;

use super::minimize::shown;
use super::{SeedsArgs, check, usage};
use crate::corpus::feature::{Observer, what_is_seen};
use crate::corpus::input::gather;
use crate::corpus::seeds::seeds as make;
use crate::exit::Exit;
use crate::rig::Hosts;
use crate::witness::write_whole;

/// Makes the seeds and writes them.
pub fn seeds(args: &SeedsArgs) -> Exit {
    let mut paths = args.paths.clone();
    if paths.is_empty() {
        let corpora = check::corpora();
        paths = vec![corpora.join("regression"), corpora.join("findings")];
    }
    let inputs = match gather(&paths, None) {
        Ok(gathered) => gathered.inputs,
        Err(error) => return usage(error),
    };
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return Exit::Rig;
        }
    };
    let mut observer = Observer::new(&hosts);
    let seeds = shown(|say| {
        make(&mut observer, &inputs, &|left, done, now| {
            say(format!(
                "stretches of the boots: {left}, {done} kept, {} steps left",
                now.steps
            ));
        })
    });
    let mut counts = BTreeMap::new();
    for ((target, name), bytes) in &seeds {
        let folder = args.out.join(target);
        let path = folder.join(name);
        let written = fs::create_dir_all(&folder).and_then(|()| write_whole(&path, bytes));
        if let Err(error) = written {
            return usage(format!("{}: {error}", path.display()));
        }
        *counts.entry(*target).or_insert(0) += 1;
    }
    for (target, count) in counts {
        println!("{}: {count} seeds", args.out.join(target).display());
    }
    println!("seeds: stretches chosen {}", what_is_seen());
    Exit::Agree
}
