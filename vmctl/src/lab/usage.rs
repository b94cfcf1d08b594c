//! What a process has cost its host so far.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

use super::process::{field, present};

/// Fields of `/proc/PID/stat` (proc_pid_stat(5)), in clock ticks.
const USER_TIME: usize = 14;
const SYSTEM_TIME: usize = 15;

/// How QEMU calls the threads that run a guest's processors: `CPU 0/TCG`, `CPU 1/KVM`, and where one
/// thread runs all of them `ALL CPUs/TCG`.
const OF_PROCESSORS: [&[u8]; 2] = [b"CPU ", b"ALL CPUs"];

/// Processor time of a whole process, ended threads included; `None` when it is gone.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn processor_time(pid: u32) -> io::Result<Option<Duration>> {
    time(&format!("/proc/{pid}/stat"))
}

/// Processor time of some threads of a process, together; `None` when one is gone.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn threads_time(pid: u32, threads: &[u32]) -> io::Result<Option<Duration>> {
    threads.iter().map(|thread| time(&format!("/proc/{pid}/task/{thread}/stat"))).sum()
}

/// The threads of a QEMU that run its guest's processors; none when it is gone. They are there before
/// the guest's first instruction and live as long as their QEMU.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn processor_threads(pid: u32) -> io::Result<Vec<u32>> {
    let Some(tasks) = present(fs::read_dir(format!("/proc/{pid}/task")))? else {
        return Ok(Vec::new());
    };
    let mut threads = Vec::new();
    for task in tasks {
        let Some(task) = present(task)? else { return Ok(Vec::new()) };
        let name = present(fs::read(task.path().join("comm")))?.unwrap_or_default();
        let number = task.file_name().to_str().and_then(|number| number.parse::<u32>().ok());
        threads.extend(number.filter(|_| OF_PROCESSORS.iter().any(|its| name.starts_with(its))));
    }
    Ok(threads)
}

/// Bytes of memory that a process has at hand now; `None` when it is gone.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn resident_memory(pid: u32) -> io::Result<Option<u64>> {
    let Some(text) = present(fs::read_to_string(format!("/proc/{pid}/statm")))? else {
        return Ok(None);
    };
    // size, resident, … in pages (proc_pid_statm(5)).
    let pages = text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok());
    Ok(pages.map(|pages| pages * page_size() as u64))
}

/// The words that a process was started with; none when it is gone.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn command_line(pid: u32) -> io::Result<Vec<String>> {
    let line = present(fs::read(format!("/proc/{pid}/cmdline")))?.unwrap_or_default();
    let words = line.split(|octet| *octet == 0).map(|word| String::from_utf8_lossy(word).into());
    let mut words: Vec<String> = words.collect();
    // The last word ends with a zero like the others.
    words.pop();
    Ok(words)
}

fn time(stat: &str) -> io::Result<Option<Duration>> {
    Ok(present(fs::read(stat))?.and_then(|stat| {
        let ticks = field(&stat, USER_TIME)? + field(&stat, SYSTEM_TIME)?;
        Some(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
    }))
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn what_this_process_has_cost() {
        let me = std::process::id();
        let before = processor_time(me).expect("/proc").expect("it lives");
        while processor_time(me).expect("/proc").expect("it lives")
            < before + Duration::from_millis(20)
        {
            black_box((0..100_000_u64).map(black_box).sum::<u64>());
        }
        assert!(resident_memory(me).expect("/proc").expect("it lives") > 100_000);
        let words: Vec<String> = std::env::args().collect();
        assert_eq!(command_line(me).expect("/proc"), words);
    }

    #[test]
    fn threads_of_processors_are_known_by_their_names() {
        let (tell, told) = std::sync::mpsc::channel::<u32>();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("CPU 0/TCG".into()).spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned())
                .expect("heard");
            // Ends when the test lets go.
            let _ = wait.recv();
        });
        let (me, number) = (std::process::id(), told.recv().expect("a number"));
        let found = processor_threads(me).expect("/proc");
        assert!(found.contains(&number), "{number} in {found:?}");
        assert!(threads_time(me, &[number]).expect("/proc").is_some());
        drop(end);
        thread.expect("started").join().expect("it ends");
    }

    #[test]
    fn nobody_has_cost_nothing() {
        // Above any pid_max.
        let nobody = u32::MAX;
        assert_eq!(processor_time(nobody).expect("/proc"), None);
        assert_eq!(threads_time(nobody, &[1]).expect("/proc"), None);
        assert_eq!(resident_memory(nobody).expect("/proc"), None);
        assert!(processor_threads(nobody).expect("/proc").is_empty());
        assert!(command_line(nobody).expect("/proc").is_empty());
    }
}
