//! Rows 19 to 22: instructions where valgrind is there, time where it is not.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::measure::{Row, float, length, slope};

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Instructions, by callgrind.
    Instructions,
    /// Nanoseconds.
    Nanoseconds,
}

impl Unit {
    /// Instructions where they can be counted.
    pub fn found() -> Self {
        let there = Command::new("valgrind").arg("--version").output();
        if there.is_ok_and(|out| out.status.success()) {
            Self::Instructions
        } else {
            Self::Nanoseconds
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Nanoseconds => "ns",
        }
    }

    fn of(self, name: &str, teams: usize, times: usize) -> Result<f64> {
        let own = std::env::current_exe()?;
        let arguments = ["work", name, &teams.to_string(), &times.to_string()].map(str::to_owned);
        match self {
            Self::Instructions => counted(&own, &arguments),
            Self::Nanoseconds => {
                let begun = Instant::now();
                let status = Command::new(own).args(arguments).status()?;
                ensure!(status.success(), "{name} ended with {status}");
                Ok(begun.elapsed().as_secs_f64() * 1e9)
            }
        }
    }

    /// The cost of one time: that of one more than none, so that preparation does not count.
    fn once(self, name: &str, teams: usize) -> Result<f64> {
        let times = if self == Self::Instructions { 1 } else { 20 };
        let with = self.of(name, teams, times)?;
        let without = self.of(name, teams, 0)?;
        Ok((with - without) / length(times))
    }
}

fn counted(own: &Path, arguments: &[String]) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(arguments)
        .output()
        .context("start valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind ended with {}: {said}", output.status);
    let line = said.lines().find_map(|line| line.split("Collected :").nth(1));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(float(number.context("callgrind told no count")?))
}

/// The rows, at two sizes.
pub fn measure(few: usize, many: usize) -> Result<Vec<Row>> {
    let unit = Unit::found();
    let word = unit.word();
    let sizes = format!("{few}, {many} teams");
    let both =
        |name: &str| -> Result<(f64, f64)> { Ok((unit.once(name, few)?, unit.once(name, many)?)) };
    let grows = |(a, b): (f64, f64)| slope(&[(length(few), a), (length(many), b)]);
    let preview = both("preview")?;
    let rebuild = unit.once("rebuild", many)?;
    let ratio = rebuild / preview.1;
    let render = both("render")?;
    let push = unit.once("push", many)?;
    let compare = both("compare")?;
    let parse = unit.once("parse", many)?;
    let document = unit.once("document", many)?;
    let who_can = both("who-can")?;
    let scan = unit.once("scan", many)?;
    let (per_render, per_compare) = (render.1 / push, compare.1 / parse);
    Ok(vec![
        Row::new(19, "who can read one secret, against a walk over all rules", many)
            .against("≥ 20×", format!("{:.0}×", scan / who_can.1), scan / who_can.1 >= 20.0)
            .beside(format!(
                "{:.0} {word} with the answer's copy, against {scan:.0}; both give the same; growth \
                 N^{:.2}",
                who_can.1,
                grows(who_can)
            )),
        Row::new(20, "preview of one team's change against rebuilding all", many)
            .against(
                "≥ 1,000× at 10,000 teams",
                format!("{ratio:.0}×"),
                ratio >= length(many) / 10.0,
            )
            .beside(format!(
                "{:.0} against {rebuild:.0} {word}; target scaled to the size; growth N^{:.2}",
                preview.1,
                grows(preview)
            )),
        Row::new(
            21,
            "render and hash all desired objects against putting the same text together",
            many,
        )
        .against("≤ 3×", format!("{per_render:.1}×"), per_render <= 3.0)
        .beside(format!(
            "{:.0} {word} per team, growth N^{:.2}; decoding the document of a head {:.0}",
            render.1 / length(many),
            grows(render),
            document / length(many)
        )),
        Row::new(22, "compare all live policies with desired against parsing the list", &sizes)
            .against("≤ 1.3× (of serde_json)", format!("{per_compare:.2}×"), per_compare <= 1.3)
            .beside(format!("{} policies, growth N^{:.2}", 3 * many, grows(compare))),
    ])
}
