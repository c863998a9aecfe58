// SPDX-License-Identifier: GPL-2.0-or-later
//! The text form under fuzzing: what is read, printed and read again is the same, and nothing panics.

use lguest_oracle::scenario_buf::ScenarioBuf;
use lguest_oracle::text;

/// Reads bytes as text and holds the text form to its promises.
///
/// # Panics
/// A promise is broken.
pub fn check(bytes: &[u8]) {
    let Ok(input) = std::str::from_utf8(bytes) else {
        return;
    };
    let formatted = text::format(input);
    let scenario = match text::parse(input) {
        Ok(scenario) => scenario,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    scenario.check().expect("what was read is valid");
    let printed = text::print(&scenario);
    let again = text::parse(&printed).expect("what was printed can be read");
    assert_eq!(scenario, again, "printed as:\n{printed}");
    assert_eq!(printed, text::print(&again));
    let bytes = scenario.to_bytes();
    let back = ScenarioBuf::from_bytes(&bytes).expect("its bytes are canonical");
    assert_eq!(scenario, back);
    let formatted = formatted.expect("what can be read can be formatted");
    assert_eq!(
        text::format(&formatted).as_ref(),
        Ok(&formatted),
        "formatting twice"
    );
    assert_eq!(
        text::parse(&formatted),
        Ok(scenario),
        "formatted text means the same"
    );
}
