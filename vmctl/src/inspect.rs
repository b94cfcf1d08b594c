//! The files that a topology names, looked at before anything is built from it: disk images, public
//! keys, files for cloud-init. What is wrong in one is told where the topology names it.

use crate::cloud::Additions;
use crate::disk::DiskImage;
use crate::scenario::{Boot, NamedFile, Rejected, Scenario};
use crate::topology::{Diagnostic, Diagnostics};

/// Looks at all of them.
///
/// # Errors
/// All that cannot be used, and why.
pub fn files(scenario: &Scenario) -> Result<(), Rejected> {
    let mut found = Diagnostics::default();
    for guest in &scenario.guests {
        let Boot::Image(image) = &guest.boot else { continue };
        if let Err(error) = DiskImage::open(&image.path) {
            let wrong = unusable("the disk image", image, &error);
            found.push(wrong.maybe_help(error.remedy()));
        }
        if let Err((file, error)) = Additions::read(&guest.access.cloud) {
            found.push(unusable("the file", &file, &error));
        }
    }
    if found.errors() == 0 { Ok(()) } else { Err(scenario.refuse(found)) }
}

fn unusable(what: &str, file: &NamedFile, error: &dyn std::error::Error) -> Diagnostic {
    let title = format!("{what} {} cannot be used", file.path.display());
    Diagnostic::error(title).at(file.place.clone(), error.to_string())
}
