//! Puts the templates of the folder into the program.

#[expect(clippy::disallowed_methods, reason = "what cargo tells a build script, in which nothing else can stand")]
fn main() {
    minijinja_embed::embed_templates!("templates");
}
