//! Puts the templates of the pages that are the program's own into it.

fn main() {
    minijinja_embed::embed_templates!("src/doors/pages/templates");
}
