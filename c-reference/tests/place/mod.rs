// SPDX-License-Identifier: GPL-2.0-or-later
//! A workspace that lasts for one test, and servers on the loopback interface.

#![allow(dead_code)] // each test program uses a part

#[path = "../../build/mod.rs"]
pub mod parts;

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use parts::find::{Found, Outcome, Search};
use parts::pin::{Pin, sha256};

pub const ORIGINAL: &[u8] = b"the original\n";

/// A workspace of its own for one test, gone afterwards.
pub struct Place {
    pub root: PathBuf,
    pub pin: Pin,
    pub env: HashMap<&'static str, String>,
}

impl Place {
    pub fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("lguest-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("workspace/c-reference/upstream")).expect("scratch");
        fs::create_dir_all(root.join("out")).expect("scratch");
        let pin = Pin {
            path: "drivers/lguest/page_tables.c".into(),
            tag: "v4.4".into(),
            sha256: sha256(ORIGINAL),
            bytes: ORIGINAL.len(),
            literals: 3,
            urls: vec![],
        };
        Self {
            root,
            pin,
            env: HashMap::new(),
        }
    }

    pub fn crate_dir(&self) -> PathBuf {
        self.root.join("workspace/c-reference")
    }

    pub fn kept(&self) -> PathBuf {
        self.crate_dir().join("upstream/page_tables.c")
    }

    pub fn stamp(&self) -> PathBuf {
        self.root.join("out/stamp")
    }

    pub fn put(&self, path: &str, bytes: &[u8]) -> String {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().expect("not the root")).expect("scratch");
        fs::write(&path, bytes).expect("scratch");
        path.display().to_string()
    }

    pub fn find(&self) -> Result<Outcome, String> {
        Search {
            pin: &self.pin,
            crate_dir: &self.crate_dir(),
            out_dir: &self.root.join("out"),
            stamp: &self.stamp(),
            env: &|name| self.env.get(name).cloned(),
        }
        .find()
    }

    pub fn found(&self) -> Found {
        match self.find() {
            Ok(Outcome::Found(found)) => found,
            other => panic!("{other:?}"),
        }
    }

    pub fn absent(&self) -> String {
        match self.find() {
            Ok(Outcome::Absent(report)) => report,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Answers each request with `status` and `body`, and counts them.
pub fn server(
    status: &'static str,
    body: &'static [u8],
    delay: Duration,
) -> (String, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!(
        "http://{}/page_tables.c",
        listener.local_addr().expect("bound")
    );
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            thread::sleep(delay);
            let head = format!(
                "HTTP/1.0 {status}\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
        }
    });
    (url, count)
}

pub fn at_once(body: &'static [u8]) -> (String, Arc<AtomicU32>) {
    server("200 OK", body, Duration::ZERO)
}
