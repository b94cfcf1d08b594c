//! What a guest boots: Chronotap's own image, a kernel, a disk image.

use std::path::Path;

use super::super::{Boot, Initrd, NamedFile, limits};
use crate::topology::{Diagnostic, Diagnostics, NodeKeys, Spanned};

/// The word that stands for Chronotap's own guest image.
const BUILT_IN: &str = "built-in";

/// What a guest with these keys boots. `base` is the directory that relative paths start from.
pub(super) fn check(
    keys: &NodeKeys,
    default: &NodeKeys,
    base: &Path,
    found: &mut Diagnostics,
) -> Boot {
    for table in [keys, default] {
        exclusive(table, found);
    }
    // A node's own word counts more than the defaults', whichever of the two keys it is.
    let default_image = default.image.as_ref().filter(|_| keys.kernel.is_none());
    if let Some(image) = keys.image.as_ref().or(default_image) {
        plain_path("image", image, found);
        beside_image(keys, image, found);
        return Boot::Image(named(base, image));
    }
    let kernel = keys.kernel.as_ref().or(default.kernel.as_ref());
    let Some(kernel) = kernel.filter(|kernel| kernel.get_ref() != BUILT_IN) else {
        lone_boot_keys(keys, found);
        if keys.kernel.is_none() {
            lone_boot_keys(default, found);
        }
        return Boot::BuiltIn;
    };
    with_kernel(kernel, keys, default, base, found)
}

fn with_kernel(
    kernel: &Spanned<String>,
    keys: &NodeKeys,
    default: &NodeKeys,
    base: &Path,
    found: &mut Diagnostics,
) -> Boot {
    let initrd = keys.initrd.as_ref().or(default.initrd.as_ref());
    let append = keys.append.as_ref().or(default.append.as_ref());
    let modules = keys.modules.as_ref().or(default.modules.as_ref());
    plain_path("kernel", kernel, found);
    if let Some(initrd) = initrd {
        plain_path("initrd", initrd, found);
    }
    if let Some(append) = append {
        plain_words(append, found);
    }
    if let Some(modules) = modules {
        plain_path("modules", modules, found);
        if initrd.is_none() {
            let wrong = Diagnostic::error("`modules` go with an `initrd`");
            let wrong = wrong.at(modules.span(), "they are put into the guest's first file system");
            found.push(wrong.help("write `initrd = \"built-in\"` for Chronotap's own userspace"));
        }
    }
    Boot::Kernel {
        kernel: base.join(kernel.get_ref()),
        initrd: initrd.map(|initrd| match initrd.get_ref().as_str() {
            BUILT_IN => Initrd::BuiltIn,
            path => Initrd::File(base.join(path)),
        }),
        append: append.map(|append| append.get_ref().clone()).unwrap_or_default(),
        modules: modules.map(|modules| named(base, modules)),
    }
}

/// A path of the file's with its place.
pub(super) fn named(base: &Path, path: &Spanned<String>) -> NamedFile {
    NamedFile { path: base.join(path.get_ref()), place: path.span() }
}

fn exclusive(keys: &NodeKeys, found: &mut Diagnostics) {
    if let (Some(image), Some(kernel)) = (&keys.image, &keys.kernel) {
        let wrong = Diagnostic::error("a guest boots an `image` or a `kernel`, not both");
        let wrong = wrong.at(image.span(), "this disk has a kernel of its own");
        found.push(wrong.beside(kernel.span(), "this is another one"));
    }
}

/// Notes what a kernel would go with, where there is a disk image.
fn beside_image(keys: &NodeKeys, image: &Spanned<String>, found: &mut Diagnostics) {
    for (key, span) in kernel_keys(keys) {
        let wrong = Diagnostic::error(format!("`{key}` goes with a `kernel`"));
        let wrong = wrong.at(span, "this guest boots a disk image");
        found.push(wrong.beside(image.span(), "whose boot loader chooses for itself"));
    }
}

/// Notes what a kernel would go with, where there is none.
fn lone_boot_keys(keys: &NodeKeys, found: &mut Diagnostics) {
    for (key, span) in kernel_keys(keys) {
        let wrong = Diagnostic::error(format!("`{key}` goes with a `kernel`"));
        let wrong = wrong.at(span, "the built-in guest boots without it");
        found.push(wrong.help("name a kernel as well, such as `kernel = \"bzImage\"`"));
    }
}

fn kernel_keys(
    keys: &NodeKeys,
) -> impl Iterator<Item = (&'static str, std::ops::Range<usize>)> + '_ {
    let all = [("initrd", &keys.initrd), ("append", &keys.append), ("modules", &keys.modules)];
    all.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?.span())))
}

/// Notes what cannot be a path.
pub(super) fn plain_path(key: &str, path: &Spanned<String>, found: &mut Diagnostics) {
    let label = match path.get_ref() {
        path if path.is_empty() => "expected a path",
        path if path.contains('\0') => "a path has no NUL characters",
        _ => return,
    };
    found.push(Diagnostic::error(format!("invalid value for `{key}`")).at(path.span(), label));
}

fn plain_words(append: &Spanned<String>, found: &mut Diagnostics) {
    let label = if append.get_ref().contains(|c: char| c.is_control()) {
        "a kernel command line has no control characters".to_owned()
    } else if append.get_ref().len() > limits::COMMAND_LINE {
        format!("a kernel command line has at most {} bytes", limits::COMMAND_LINE)
    } else {
        return;
    };
    found.push(Diagnostic::error("invalid value for `append`").at(append.span(), label));
}
