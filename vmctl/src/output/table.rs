//! The one look of all tables: columns, two spaces apart, no frame; easy to read and to cut.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// A table with these column titles. Columns whose index is in `right` hold numbers.
pub fn table(titles: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(titles.iter().map(|title| title.to_uppercase()));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The table as text without spaces at line ends.
pub fn text(table: &Table) -> String {
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_stand_apart_without_a_frame() {
        let mut table = super::table(&["guest", "memory"], &[1]);
        table.add_row(["alice", "8MiB"]);
        table.add_row(["bo", "512MiB"]);
        insta::assert_snapshot!(super::text(&table), @r"
        GUEST  MEMORY
        alice    8MiB
        bo     512MiB
        ");
    }
}
