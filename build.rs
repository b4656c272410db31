//! Puts the templates of the pages that are the program's own into it.

#[expect(clippy::disallowed_methods, reason = "what cargo tells a build script, in which nothing else can stand")]
fn main() {
    minijinja_embed::embed_templates!("src/doors/pages/templates");
}
