//! The command line of the benchmark.

use std::time::Duration;

/// How it is called.
pub const USAGE: &str = "usage: exact [--quick] [--guests N,N…] [--wall SECONDS]";

/// What to measure.
pub struct Arguments {
    /// Numbers of guests in `exact`.
    pub guests: Vec<u32>,
    /// Numbers of guests in `lockstep`.
    pub beside: Vec<u32>,
    /// Lookaheads in microseconds, ascending.
    pub lookaheads_us: Vec<u32>,
    /// About how long each measurement takes on the host.
    pub wall: Duration,
}

impl Arguments {
    /// Reads them; what is not given is the whole table.
    ///
    /// # Errors
    /// What is wrong.
    pub fn parse(mut given: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wanted = Self {
            guests: vec![1, 2, 4, 8, 10, 16],
            beside: vec![1, 2, 4, 8, 16],
            lookaheads_us: vec![100, 1000, 10_000],
            wall: Duration::from_secs(4),
        };
        while let Some(flag) = given.next() {
            match flag.as_str() {
                // What `cargo bench` adds by itself.
                "--bench" => {}
                "--quick" => wanted = wanted.quick(),
                "--guests" => {
                    wanted.guests = numbers(given.next())?;
                    wanted.beside.clone_from(&wanted.guests);
                }
                "--wall" => {
                    let seconds = numbers(given.next())?;
                    wanted.wall = Duration::from_secs(seconds.iter().sum::<u32>().into());
                }
                _ => return Err(format!("unknown argument `{flag}`")),
            }
        }
        Ok(wanted)
    }

    fn quick(self) -> Self {
        let (guests, beside) = (vec![2, 10], vec![2]);
        Self { guests, beside, wall: Duration::from_secs(1), ..self }
    }
}

fn numbers(list: Option<String>) -> Result<Vec<u32>, String> {
    let list = list.ok_or("a value is missing")?;
    let number = |text: &str| text.parse().map_err(|_| format!("`{text}` is not a number"));
    list.split(',').map(number).collect()
}
