//! Quantities with their units, as people write them: delays, rates, sizes, ratios.
