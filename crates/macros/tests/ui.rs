//! What the attributes say about code that is wrong: the texts, and where they point to.
//!
//! After a change of a text: `TRYBUILD=overwrite cargo test -p timewright-macros --test ui`, and read the difference.

#[test]
fn errors_point_at_the_users_line_and_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
