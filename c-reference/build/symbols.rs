// SPDX-License-Identifier: GPL-2.0-or-later
//! What the compiled original may ask for and may offer: a stray name would
//! be bound to something of the C library's, and nobody would notice.

use object::{Object, ObjectSymbol};

/// What one object file may have to do with others.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Beginnings of names it may define for others.
    pub defined: Vec<&'static str>,
    /// Names it may leave to others.
    pub undefined: Vec<&'static str>,
    /// Beginnings of such names.
    pub undefined_prefixes: Vec<&'static str>,
}

/// What a compilation adds to the names by itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Instrumented {
    /// The Windows calling convention: an implicit memset would go wrong.
    pub windows_calls: bool,
    /// Sanitizers or coverage are on.
    pub instrumented: bool,
}

impl Allowed {
    /// For a paging mode's object, whose names begin with `prefix`.
    pub fn mode(prefix: &'static str, with: Instrumented) -> Self {
        let mut allowed = Self {
            defined: vec![prefix],
            undefined: vec!["_GLOBAL_OFFSET_TABLE_"],
            undefined_prefixes: vec!["lg_"],
        };
        if !with.windows_calls {
            allowed
                .undefined
                .extend(["memcpy", "memmove", "memset", "memcmp"]);
        }
        allowed.instrumented(with)
    }

    /// For the door, which is made of the C library's signals and jumps.
    pub fn door(with: Instrumented) -> Self {
        Self {
            defined: vec!["lg_"],
            undefined: vec![
                "_GLOBAL_OFFSET_TABLE_",
                "__sigsetjmp",
                "siglongjmp",
                "sigaction",
                "sigaddset",
                "sigemptyset",
                "signal",
                "raise",
                "pthread_sigmask",
                "memcpy",
                "memset",
            ],
            undefined_prefixes: vec![],
        }
        .instrumented(with)
    }

    fn instrumented(mut self, with: Instrumented) -> Self {
        if with.instrumented {
            self.undefined_prefixes.extend([
                "__asan_",
                "__ubsan_",
                "__sanitizer_",
                "__sancov_",
                "__llvm_",
                "__gcov_",
                // The bounds of their own sections.
                "__start___sancov_",
                "__stop___sancov_",
                "__start_asan_globals",
                "__stop_asan_globals",
                "__start___llvm_",
                "__stop___llvm_",
            ]);
            self.defined.extend([
                "__asan_",
                "__odr_asan",
                "___asan_",
                "__sancov_",
                "__llvm_",
                "__covrec_",
                "__prof",
                "__gcov_",
            ]);
        }
        self
    }

    /// Each name in the object file that is not allowed.
    pub fn strays(&self, object: &[u8]) -> Result<Vec<String>, String> {
        let file = object::File::parse(object).map_err(|e| format!("not an object file: {e}"))?;
        let mut strays = Vec::new();
        for symbol in file.symbols() {
            let name = symbol.name().unwrap_or("");
            if name.is_empty() || symbol.is_local() {
                continue;
            }
            let begins = |with: &[&str]| with.iter().any(|start| name.starts_with(start));
            if symbol.is_undefined() {
                if !self.undefined.contains(&name) && !begins(&self.undefined_prefixes) {
                    strays.push(format!("`{name}` is left undefined"));
                }
            } else if !begins(&self.defined) {
                strays.push(format!("`{name}` is exported"));
            }
        }
        strays.sort();
        strays.dedup();
        Ok(strays)
    }
}
