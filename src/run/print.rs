//! `gonogo print`: what the program knows.

use std::process::ExitCode;

use clap::CommandFactory;
use color_eyre::eyre::Result;

use super::failure::Exit;
use crate::cli::{Cli, Printed};
use crate::config::{self, print};
use crate::gates::GATES;
use crate::input;
use crate::look::themes::Themes;
use crate::sim::scenario;

/// Prints it.
pub fn run(what: Printed) -> Result<ExitCode> {
    let text = match what {
        Printed::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "gonogo", &mut out);
            String::from_utf8(out)?
        }
        Printed::Man => {
            let mut out = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut out)?;
            String::from_utf8(out)?
        }
        Printed::Schema => format!("{:#}\n", print::schema()),
        Printed::Config => config::EXAMPLE.to_owned(),
        Printed::Keys => input::help::markdown(),
        Printed::Themes => Themes::load(&[]).names().map(|n| format!("{n}\n")).collect(),
        Printed::Scenarios => {
            let rows: Vec<Vec<String>> = scenario::catalogue().into_iter().map(|(n, d)| vec![n, d]).collect();
            super::output::table(&rows, &[])
        }
        Printed::Gates => gates(),
    };
    super::say_as_is(&mut std::io::stdout(), &text);
    Ok(Exit::Done.into())
}

fn gates() -> String {
    let mut out = String::new();
    for gate in GATES {
        out.push_str(&format!("{}: {}\n", gate.name(), gate.about()));
        for parameter in gate.parameters() {
            let required = if parameter.required { " (required)" } else { "" };
            out.push_str(&format!("  {}{required}: {}\n", parameter.name, parameter.about));
        }
    }
    out
}
