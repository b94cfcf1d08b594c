//! The command line of the benchmark.

/// How it is called.
pub const USAGE: &str = "usage: windows [--guests N,N…] [--quanta MS,MS…] [--for DURATION]";

/// What to measure.
pub struct Arguments {
    /// Numbers of guests.
    pub guests: Vec<u32>,
    /// Lengths of a window in milliseconds.
    pub quanta: Vec<u32>,
    /// How long, in virtual time.
    pub span: String,
}

impl Arguments {
    /// Reads them; what is not given is the whole table.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wanted = Self {
            guests: vec![1, 2, 4, 8, 16],
            quanta: vec![1, 5, 10, 50],
            span: "5s".to_owned(),
        };
        while let Some(flag) = given.next() {
            // What `cargo bench` adds by itself.
            if flag == "--bench" {
                continue;
            }
            let value = given.next().ok_or_else(|| format!("`{flag}` wants a value"))?;
            match flag.as_str() {
                "--guests" => wanted.guests = numbers(&value)?,
                "--quanta" => wanted.quanta = numbers(&value)?,
                "--for" => wanted.span = value,
                _ => return Err(format!("unknown argument `{flag}`")),
            }
        }
        Ok(wanted)
    }
}

fn numbers(list: &str) -> Result<Vec<u32>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a number"));
    list.split(',').map(number).collect()
}
