//! Whether a program needs a loader: read from its own header.

use anyhow::{Context as _, Result, bail};

/// The type of the segment that names a program's loader.
const INTERPRETER: u32 = 3;

/// The loader that a 64-bit little-endian program asks for; none where it is static.
pub fn interpreter(program: &[u8]) -> Result<Option<String>> {
    if program.get(..6) != Some(b"\x7fELF\x02\x01") {
        bail!("this is no 64-bit little-endian program");
    }
    let short = |at: usize| -> Result<usize> {
        let bytes = program.get(at..at + 2).context("the program is cut off")?;
        Ok(usize::from(u16::from_le_bytes(bytes.try_into()?)))
    };
    let long = |at: usize| -> Result<usize> {
        let bytes = program.get(at..at + 8).context("the program is cut off")?;
        Ok(usize::try_from(u64::from_le_bytes(bytes.try_into()?))?)
    };
    let (table, size, count) = (long(32)?, short(54)?, short(56)?);
    for entry in (0..count).map(|number| table + number * size) {
        let bytes = program.get(entry..entry + 4).context("the program is cut off")?;
        if u32::from_le_bytes(bytes.try_into()?) != INTERPRETER {
            continue;
        }
        let (at, length) = (long(entry + 8)?, long(entry + 32)?);
        let name = program.get(at..at + length).context("the program is cut off")?;
        return Ok(Some(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned()));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_system_names_its_loader_and_text_is_no_program() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let loader = interpreter(&own).unwrap().expect("tests are not static");
        assert!(loader.starts_with('/') && loader.contains("ld"), "{loader}");
        assert!(interpreter(b"#!/bin/sh").is_err());
        assert!(interpreter(&own[..40]).is_err());
    }
}
