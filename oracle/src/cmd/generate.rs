// SPDX-License-Identifier: GPL-2.0-or-later
//! `lgdiff gen`: one generated scenario as text.

use lguest_engine::PagingMode;

use super::{GenArgs, usage};
use crate::campaign::profile_of;
use crate::drive::{Drive, run};
use crate::exit::Exit;
use crate::generate::{Generator, Profile};
use crate::rig::{Hosts, modes};
use crate::scenario_buf::ScenarioBuf;
use crate::text::print;

/// Prints a scenario; the port stands in for the world that the generator looks at.
pub fn generate(args: &GenArgs) -> Exit {
    let hosts = match Hosts::new() {
        Ok(hosts) => hosts,
        Err(error) => {
            eprintln!("lgdiff: no room for a simulated host: {error}");
            return Exit::Rig;
        }
    };
    let profile = profile_of(args.profile, args.index);
    let &[mode] = modes(args.mode.into()) else {
        return usage("--mode both: a scenario is generated for one mode; expected nopae or pae");
    };
    let scenario = match mode {
        PagingMode::Pae => generated(&mut hosts.port_pae(), args, profile, mode),
        _ => generated(&mut hosts.port_nopae(), args, profile, mode),
    };
    println!(
        "# gen --seed {} --index {} --profile {}",
        args.seed,
        args.index,
        profile.name()
    );
    print!("{}", print(&scenario));
    Exit::Agree
}

fn generated<D: Drive>(
    drive: &mut D,
    args: &GenArgs,
    profile: Profile,
    mode: PagingMode,
) -> ScenarioBuf {
    let mut generator = Generator::new(args.seed, profile, args.index, mode);
    let mut scenario = ScenarioBuf::new(generator.machine);
    scenario.pages.clone_from(&generator.pages);
    let steps = &mut scenario.steps;
    run(
        drive,
        &scenario.machine,
        &scenario.pages,
        &mut generator,
        |_, step, _| steps.push(*step),
    );
    scenario
}
