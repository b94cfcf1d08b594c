//! The rules, one source text at a time. Line by line, without a parser: cheap and good enough.

/// Where `unsafe` may stand, and why there.
const UNSAFE_PLACES: [&str; 8] = [
    // QEMU's functions and structures.
    "agent/src/",
    // The raw reads and writes of the programs, and their entry points' link sections.
    "ebpf/src/access.rs",
    "ebpf/src/main.rs",
    // Which structs are plain octets.
    "ebpf/common/src/counter.rs",
    // RDTSC.
    "guest/src/tool/clock/tsc.rs",
    // Rings and memory shared with the kernel.
    "userspace/src/xsk/",
    // The page that is shared with a guest's QEMU.
    "userspace/src/exact/page.rs",
    // The ioctls that make a tap.
    "vmctl/src/lab/tap.rs",
];

/// The room without clock, I/O and threads, and the words that would bring them in.
const PURE_ROOM: &str = "userspace/src/sim/";
const IMPURE_WORDS: [&str; 10] = [
    "SystemTime",
    "sleep",
    "spawn",
    "async",
    "await",
    "tokio",
    "rustix",
    "print",
    "println",
    "eprintln",
];
const IMPURE_PATHS: [&str; 7] =
    ["::now(", ".elapsed(", "std::env", "std::fs", "std::io", "std::net", "std::thread"];

const LONGEST_LINE: usize = 120;
const LONGEST_FILE: usize = 350;

/// All breaches in one source text; `path` counts from the checkout's root.
pub fn check(path: &str, text: &str) -> Vec<String> {
    let mut found = whole(path, text);
    for (position, line) in text.lines().enumerate() {
        let breaches = of_line(path, line);
        found.extend(breaches.into_iter().map(|what| format!("{path}:{}: {what}", position + 1)));
    }
    found
}

fn whole(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !text.starts_with("//!") {
        found.push(format!("{path}:1: does not open with `//!` and its contract"));
    }
    if !text.ends_with('\n') || text.ends_with("\n\n") {
        found.push(format!("{path}: does not end with one newline"));
    }
    let len = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
    if len > LONGEST_FILE && !is_test(path) {
        found.push(format!("{path}: {len} lines before its tests; at most {LONGEST_FILE}"));
    }
    found
}

/// A file of integration tests: a table there may be as long as it needs to be.
fn is_test(path: &str) -> bool {
    path.split('/').any(|folder| folder == "tests")
}

fn of_line(path: &str, line: &str) -> Vec<String> {
    let mut found = Vec::new();
    if line.contains('\t') {
        found.push("a tab".to_owned());
    }
    if line.ends_with(char::is_whitespace) {
        found.push("space at the end".to_owned());
    }
    let len = line.chars().count();
    if len > LONGEST_LINE {
        found.push(format!("{len} characters; at most {LONGEST_LINE}"));
    }
    let code = code_of(line);
    if has_word(&code, "unsafe") && !UNSAFE_PLACES.iter().any(|place| path.starts_with(place)) {
        found.push("unsafe outside the places for it".to_owned());
    }
    if path.starts_with(PURE_ROOM) {
        let words = IMPURE_WORDS.into_iter().filter(|word| has_word(&code, word));
        let paths = IMPURE_PATHS.into_iter().filter(|path| code.contains(path));
        found.extend(
            words.chain(paths).map(|word| format!("`{word}` in the room without clock and I/O")),
        );
    }
    found
}

/// The line without comments and string literals (those that begin and end in it).
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut characters = line.chars().peekable();
    let mut in_string = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' if in_string => drop(characters.next()),
            '"' => in_string = !in_string,
            '/' if !in_string && characters.peek() == Some(&'/') => break,
            _ if !in_string => code.push(character),
            _ => {}
        }
    }
    code
}

fn has_word(code: &str, word: &str) -> bool {
    let is_letter = |character: char| character.is_alphanumeric() || character == '_';
    code.split(|character| !is_letter(character)).any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(path: &str, body: &str) -> usize {
        check(path, &format!("//! A contract.\n{body}\n")).len()
    }

    #[test]
    fn each_rule_finds_its_breach_and_only_that() {
        let long = "x".repeat(LONGEST_LINE + 1);
        let cases = [
            ("plain", "vmctl/src/a.rs", "fn a() {}", 0),
            ("tab", "vmctl/src/a.rs", "\tfn a() {}", 1),
            ("trailing space", "vmctl/src/a.rs", "fn a() {} ", 1),
            ("long line", "vmctl/src/a.rs", long.as_str(), 1),
            ("unsafe", "vmctl/src/a.rs", "unsafe { a() }", 1),
            ("unsafe attribute", "vmctl/src/a.rs", "#[unsafe(no_mangle)]", 1),
            ("unsafe at its place", "userspace/src/xsk/ring.rs", "unsafe { a() }", 0),
            ("unsafe in a lint's name", "vmctl/src/a.rs", "#![forbid(unsafe_code)]", 0),
            ("unsafe in a comment", "vmctl/src/a.rs", "a(); // unsafe", 0),
            ("unsafe in a string", "vmctl/src/a.rs", "a(\"is \\\" unsafe\");", 0),
            ("clock", "userspace/src/sim/a.rs", "let at = Instant::now();", 1),
            ("clock elsewhere", "userspace/src/pacer.rs", "let at = Instant::now();", 0),
            ("a time as an argument", "userspace/src/sim/a.rs", "fn a(now: VirtualInstant) {}", 0),
            ("a thread", "userspace/src/sim/a.rs", "use std::thread::yield_now;", 1),
            ("clock in a comment", "userspace/src/sim/a.rs", "/// Not `now`.", 0),
            ("words within words", "userspace/src/sim/a.rs", "let known = network(fsm);", 0),
        ];
        for (case, path, body, expected) in cases {
            assert_eq!(breaches(path, body), expected, "{case}");
        }
    }

    #[test]
    fn a_module_opens_with_its_contract() {
        assert_eq!(check("vmctl/src/a.rs", "fn a() {}\n").len(), 1);
    }

    #[test]
    fn tests_do_not_count_towards_the_length() {
        let code = "fn a() {}\n".repeat(LONGEST_FILE - 2);
        let tests = "#[test]\n".repeat(50);
        assert_eq!(
            breaches("vmctl/src/a.rs", &format!("{code}#[cfg(test)]\n{tests}mod a {{}}")),
            0
        );
        assert_eq!(breaches("vmctl/src/a.rs", &format!("{code}{tests}mod a {{}}")), 1);
    }
}
