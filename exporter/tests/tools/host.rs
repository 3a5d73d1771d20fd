//! A directory for one test, the program run in it, and scripts in the place of the vendor's tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nshield::runner::{Ending, Exit, Invocation, run};

pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../nshield/tests/fixtures");

/// A guard against a program that hangs; nothing here takes long.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the program printed and how it ended.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    /// A host with nothing on it.
    pub(crate) fn bare() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// A host whose tools print these texts.
    pub(crate) fn printing(enquiry: &[u8], server: &[u8], stattree: &[u8]) -> Self {
        let host = Self::bare();
        fs::create_dir_all(host.path("bin")).unwrap();
        fs::create_dir_all(host.path("kmdata/config")).unwrap();
        for (name, text) in [
            ("enquiry", enquiry),
            ("server", server),
            ("stattree", stattree),
        ] {
            fs::write(host.path(&format!("{name}.txt")), text).unwrap();
        }
        let root = host.root().display();
        host.tool(
            "enquiry",
            &format!(
                "case \"$1\" in -m0) cat {root}/server.txt;; *) cat {root}/enquiry.txt;; esac"
            ),
        );
        host.tool("stattree", &format!("cat {root}/stattree.txt"));
        host
    }

    /// Lets a tool do what a script says.
    pub(crate) fn tool(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        let _ = std::os::unix::fs::symlink(format!("{FIXTURES}/fake-tool"), &path);
        fs::write(path.with_extension("script"), script).unwrap();
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        self.name(name)
    }

    pub(crate) fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Runs the program on this host.
    pub(crate) async fn run(&self, args: &[&str]) -> Printed {
        let root = format!("--nfast.root={}", self.root().display());
        let args = [&[root.as_str()], args].concat();
        let run = run(Invocation::new(
            env!("CARGO_BIN_EXE_vcm-exporter"),
            args,
            DEADLINE,
        ))
        .await
        .unwrap();
        let Ending::Exited(Exit::Code(status)) = run.ending else {
            panic!("the program did not exit: {run:?}")
        };
        // The directory has another name in every test.
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(self.root().to_str().unwrap(), "DIR")
        };
        Printed {
            status,
            stdout: text(run.stdout),
            stderr: text(run.stderr),
        }
    }
}
