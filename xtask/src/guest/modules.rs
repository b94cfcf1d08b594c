//! Kernel modules, with those that they depend on, and the index that modprobe reads.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::packages::{Packages, lines_of};
use super::tree::Tree;
use crate::cache::files_below;
use crate::process;

/// Adds the modules that `list` names and an index of them.
///
/// # Errors
/// If the kernel's package has no such module.
pub fn add(tree: &mut Tree, packages: &Packages, list: &Path) -> Result<()> {
    let (release, folder) = packages.modules()?;
    let shelf = Shelf::new(&folder)?;
    let mut chosen = BTreeMap::new();
    for name in lines_of(list)? {
        choose(&shelf, &name, &mut chosen)?;
    }
    let mut index = String::new();
    for (name, module) in &chosen {
        let path = format!("kernel/{name}.ko");
        let needs: Vec<_> = shelf.all_needs(name, &chosen).collect();
        let needs: String = needs.iter().map(|need| format!(" kernel/{need}.ko")).collect();
        index.push_str(&format!("{path}:{needs}\n"));
        tree.add_content(&format!("usr/lib/modules/{release}/{path}"), module.content.clone());
    }
    tree.add_content(&format!("usr/lib/modules/{release}/modules.dep"), index.into_bytes());
    Ok(())
}

struct Module {
    content: Vec<u8>,
    needs: Vec<String>,
}

fn choose(shelf: &Shelf, name: &str, chosen: &mut BTreeMap<String, Module>) -> Result<()> {
    if chosen.contains_key(name) || shelf.built_in.iter().any(|known| known == name) {
        return Ok(());
    }
    let content = shelf.read(name)?;
    let needs = needs(&content);
    chosen.insert(name.to_owned(), Module { content, needs: needs.clone() });
    needs.iter().try_for_each(|need| choose(shelf, need, chosen))
}

/// All modules of the kernel's package.
struct Shelf {
    files: BTreeMap<String, PathBuf>,
    built_in: Vec<String>,
}

impl Shelf {
    fn new(folder: &Path) -> Result<Self> {
        let built_in = fs::read_to_string(folder.join("modules.builtin"))?;
        let built_in = built_in.lines().filter_map(|line| module_name(Path::new(line))).collect();
        let files = files_below(&folder.join("kernel"))?;
        let named = files.into_iter().filter_map(|file| Some((module_name(&file)?, file)));
        Ok(Self { files: named.collect(), built_in })
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.files.get(name);
        let file = file.with_context(|| format!("the kernel has no module {name}"))?;
        if file.extension().is_none_or(|extension| extension != "xz") {
            return fs::read(file).with_context(|| format!("cannot read {}", file.display()));
        }
        let mut command = Command::new("xz");
        command.arg("--decompress").arg("--stdout").arg(file);
        let output = command.output().context("cannot start xz (package xz-utils)")?;
        ensure!(output.status.success(), "{} failed", process::shown(&command));
        Ok(output.stdout)
    }

    /// What `name` needs, directly and not, in the order in which modprobe must go backwards
    /// through it: a module comes before those that it needs itself.
    fn all_needs<'a>(
        &self,
        name: &str,
        chosen: &'a BTreeMap<String, Module>,
    ) -> impl Iterator<Item = &'a str> {
        let mut order: Vec<&str> = Vec::new();
        visit(name, chosen, &mut order);
        order.pop();
        order.into_iter().rev()
    }
}

/// Depth first: each module after all that it needs.
fn visit<'a>(name: &str, chosen: &'a BTreeMap<String, Module>, order: &mut Vec<&'a str>) {
    let Some((name, module)) = chosen.get_key_value(name) else {
        return;
    };
    if order.contains(&name.as_str()) {
        return;
    }
    for need in &module.needs {
        visit(need, chosen, order);
    }
    order.push(name);
}

/// `…/virtio-rng.ko.xz` → `virtio_rng`, as the kernel names it.
fn module_name(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let stem = name.strip_suffix(".xz").unwrap_or(name).strip_suffix(".ko")?;
    Some(stem.replace('-', "_"))
}

/// The `depends=` line of a module's .modinfo section, which is a list of C strings.
fn needs(module: &[u8]) -> Vec<String> {
    let line = module.split(|&octet| octet == 0).find_map(|text| text.strip_prefix(b"depends="));
    let names = String::from_utf8_lossy(line.unwrap_or_default()).replace('-', "_");
    names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_needs() {
        let name = |path: &str| module_name(Path::new(path));
        assert_eq!(name("kernel/a/virtio-rng.ko.xz").unwrap(), "virtio_rng");
        assert_eq!(name("tun.ko").unwrap(), "tun");
        assert_eq!(name("modules.order"), None);
        let module = b"\x7fELF\0license=GPL\0depends=virtio,virtio-ring\0intree=Y\0";
        assert_eq!(needs(module), ["virtio", "virtio_ring"]);
        assert_eq!(needs(b"x\0depends=\0"), Vec::<String>::new());
    }

    #[test]
    fn a_module_comes_before_its_needs() {
        let module = |needs: &[&str]| Module {
            content: Vec::new(),
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
        };
        let chosen = BTreeMap::from([
            ("net".to_owned(), module(&["failover", "virtio"])),
            ("failover".to_owned(), module(&["core"])),
            ("core".to_owned(), module(&[])),
            ("virtio".to_owned(), module(&["ring"])),
            ("ring".to_owned(), module(&[])),
        ]);
        let shelf = Shelf { files: BTreeMap::new(), built_in: Vec::new() };
        let order: Vec<_> = shelf.all_needs("net", &chosen).collect();
        assert_eq!(order, ["virtio", "ring", "failover", "core"]);
    }
}
