//! Debian packages as material: fetched and unpacked into the target directory, never installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::elf;
use crate::cache::{self, Ingredients, files_below};
use crate::{host, process, workspace};

/// A program that the guest gets.
pub struct Program {
    /// Where it lies unpacked.
    pub file: PathBuf,
}

impl Program {
    /// Where it lies in the guest: all programs are in one folder.
    pub fn guest_path(&self) -> String {
        let name = self.file.file_name().unwrap_or_default();
        format!("usr/bin/{}", name.to_string_lossy())
    }
}

/// A line of the recipe: a package and what is wanted of it.
struct Wanted {
    package: String,
    programs: Vec<String>,
}

/// The unpacked packages.
pub struct Packages {
    folder: PathBuf,
    programs: Vec<Program>,
}

impl Packages {
    /// Fetches what the recipes name and the packages with the libraries that it needs, unless that
    /// was done before for the same recipes.
    ///
    /// # Errors
    /// If apt is not there, does not know a package, or a program is not in its package.
    pub fn fetch(recipes: &[PathBuf], anew: bool) -> Result<Self> {
        let wanted: Result<Vec<_>> = recipes.iter().map(|recipe| wanted(recipe)).collect();
        let wanted: Vec<_> = wanted?.into_iter().flatten().collect();
        let folder = workspace::target().join("guest/packages");
        let done = folder.join("done");
        let start = Ingredients::default();
        let key = recipes.iter().try_fold(start, |so_far, recipe| so_far.path(recipe))?.key();
        if anew || !cache::is_fresh(&done, &key) {
            unpack_all(&wanted, &folder)?;
            let draft = tempfile::NamedTempFile::new()?;
            cache::keep(draft.path(), &done, &key)?;
        }
        let programs = programs(&wanted, &folder)?;
        Ok(Self { folder, programs })
    }

    /// All programs that the recipe names.
    pub fn programs(&self) -> &[Program] {
        &self.programs
    }

    /// The commands that busybox is, by their names.
    pub fn applets(&self) -> Result<Vec<String>> {
        let busybox = self.programs.iter().find(|program| program.file.ends_with("busybox"));
        let busybox = busybox.context("the recipe has no busybox")?;
        let list = process::read(Command::new(&busybox.file).arg("--list"))?;
        Ok(list.lines().filter(|name| *name != "busybox").map(str::to_owned).collect())
    }

    /// The shared library of this name.
    pub fn library(&self, name: &str) -> Option<PathBuf> {
        library(&self.folder, name)
    }

    /// The kernel's image.
    pub fn kernel(&self) -> Result<PathBuf> {
        let (release, _) = self.modules()?;
        Ok(self.folder.join("boot").join(format!("vmlinuz-{release}")))
    }

    /// The kernel's release and the folder of its modules.
    pub fn modules(&self) -> Result<(String, PathBuf)> {
        let candidates = ["usr/lib/modules", "lib/modules"].map(|path| self.folder.join(path));
        let found = candidates.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let folder = found.map(|entry| Ok(entry?.path())).next();
        let folder: std::io::Result<PathBuf> = folder.context("no package has a kernel")?;
        let folder = folder?;
        let release = folder.file_name().and_then(|name| name.to_str());
        Ok((release.context("a file name is not UTF-8")?.to_owned(), folder.clone()))
    }
}

/// Lines of a list without comments.
pub fn lines_of(list: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(list).with_context(|| format!("no {}", list.display()))?;
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(lines.filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

fn wanted(recipe: &Path) -> Result<Vec<Wanted>> {
    let parse = |line: String| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some(Wanted { package: words.next()?, programs: words.collect() })
    };
    Ok(lines_of(recipe)?.into_iter().filter_map(parse).collect())
}

fn programs(wanted: &[Wanted], folder: &Path) -> Result<Vec<Program>> {
    let paths = wanted.iter().flat_map(|line| line.programs.iter().map(move |path| (line, path)));
    let find = |(line, path): (&Wanted, &String)| {
        let file = folder.join(path);
        ensure!(file.is_file(), "package {} has no {path}", line.package);
        Ok(Program { file })
    };
    paths.map(find).collect()
}

/// Unpacks the wanted packages, then level by level what they depend on, until no library is
/// missing.
fn unpack_all(wanted: &[Wanted], folder: &Path) -> Result<()> {
    ensure!(
        host::program("apt-get").is_some() && host::program("dpkg-deb").is_some(),
        "the guest image is made of Debian packages, which apt-get and dpkg-deb fetch and unpack: \
         build it on Debian, or copy target/chronotap/guest from there"
    );
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut level: BTreeSet<String> = wanted.iter().map(|line| line.package.clone()).collect();
    let mut seen = BTreeSet::new();
    loop {
        eprintln!("fetching {}", Vec::from_iter(level.iter().map(String::as_str)).join(" "));
        unpack(&level, folder)?;
        seen.extend(level.iter().cloned());
        let next: BTreeSet<_> = dependencies(&level)?.difference(&seen).cloned().collect();
        if next.is_empty()
            || (has_kernel(folder) && is_complete(&programs(wanted, folder)?, folder)?)
        {
            return Ok(());
        }
        level = next;
    }
}

fn has_kernel(folder: &Path) -> bool {
    folder.join("boot").is_dir()
}

/// Whether all libraries are there that programs and libraries need.
fn is_complete(programs: &[Program], folder: &Path) -> Result<bool> {
    let mut files: Vec<_> = programs.iter().map(|program| program.file.clone()).collect();
    let mut seen = BTreeSet::new();
    while let Some(file) = files.pop() {
        for name in elf::needed(&fs::read(&file)?)? {
            match library(folder, &name) {
                Some(library) if seen.insert(name) => files.push(library),
                Some(_) => {}
                None => return Ok(false),
            }
        }
    }
    Ok(true)
}

fn library(folder: &Path, name: &str) -> Option<PathBuf> {
    let places = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];
    places.iter().map(|place| folder.join(place).join(name)).find(|file| file.is_file())
}

/// Fetches packages and unpacks them into one folder.
pub fn unpack(packages: &BTreeSet<String>, folder: &Path) -> Result<()> {
    let download = tempfile::tempdir()?;
    let mut command = Command::new("apt-get");
    // Root's apt would want to give up its rights, which the download folder does not allow.
    command.args(["download", "--quiet=2", "--option=APT::Sandbox::User="]).args(packages);
    process::read(command.current_dir(download.path()))
        .context("apt does not find all packages; `cargo xtask setup` updates its lists")?;
    for archive in files_below(download.path())? {
        process::run(Command::new("dpkg-deb").arg("--extract").arg(archive).arg(folder))?;
    }
    Ok(())
}

/// What packages depend on directly, as far as it can hold libraries or the kernel.
fn dependencies(packages: &BTreeSet<String>) -> Result<BTreeSet<String>> {
    let mut command = Command::new("apt-cache");
    command.args(["depends", "--important"]).args(packages);
    Ok(parse_dependencies(&process::read(&mut command)?))
}

fn parse_dependencies(output: &str) -> BTreeSet<String> {
    let useful = |name: &&str| ["lib", "zlib", "linux-image-"].iter().any(|p| name.starts_with(p));
    let names = output.lines().filter_map(|line| {
        let (kind, name) = line.trim_start_matches([' ', '|']).split_once(": ")?;
        ["Depends", "PreDepends"].contains(&kind).then_some(name.trim())
    });
    names.filter(useful).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apt_cache_output() {
        let output = "iproute2\n  PreDepends: libc6\n |Depends: debconf\n    cdebconf\n  \
                      Depends: libelf1\n  Depends: <libvirtual>\n  Conflicts: libold\n";
        let names = parse_dependencies(output);
        assert_eq!(names, ["libc6", "libelf1"].map(str::to_owned).into());
    }

    #[test]
    fn the_recipe_of_this_checkout() {
        let wanted = wanted(&workspace::root().join("guest/image/packages.txt")).unwrap();
        let busybox = wanted.iter().find(|line| line.package == "busybox").unwrap();
        assert_eq!(busybox.programs, ["bin/busybox"]);
    }
}
