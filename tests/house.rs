//! The numbers of the house: how large files and functions are, how deep they nest, what is
//! documented, and what could panic. Conventions 5, 6, 8, 17 and 29 as a test.

use syn::visit::Visit;

use crate::support::source::{self, SourceFile};

const FILE_LINES_MAX: usize = 600;
const MOD_FILE_LINES_MAX: usize = 120;
const MAIN_LINES_MAX: usize = 60;
const FUNCTION_LINES_MAX: usize = 70;
const NESTING_MAX: usize = 4;
const PARAMETERS_MAX: usize = 5;
/// An `expect` says why it cannot fail: shorter texts do not say anything.
const PROOF_CHARACTERS_MIN: usize = 12;

/// What was counted in one file, tests left out.
#[derive(Default)]
struct Numbers {
    file: String,
    functions: Vec<Function>,
    /// Lines of items that are compiled for tests only.
    test_lines: usize,
    public: usize,
    undocumented: Vec<String>,
    /// `unwrap`, `panic!`, `expect` without proof and their like, with their place.
    panics: Vec<String>,
    nesting: usize,
    in_trait_impl: usize,
}

struct Function {
    name: String,
    lines: usize,
    nesting: usize,
    parameters: usize,
    has_bare_bool: bool,
}

impl Numbers {
    fn of(name: &str, syntax: &syn::File) -> Self {
        let mut numbers = Self { file: name.to_owned(), ..Self::default() };
        numbers.visit_file(syntax);
        numbers
    }

    fn public_item(
        &mut self,
        name: &str,
        visibility: &syn::Visibility,
        attributes: &[syn::Attribute],
    ) {
        if !matches!(visibility, syn::Visibility::Public(_)) {
            return;
        }
        self.public += 1;
        if !attributes.iter().any(|attribute| attribute.path().is_ident("doc")) {
            self.undocumented.push(format!("{}: {name}", self.file));
        }
    }

    fn function(&mut self, signature: &syn::Signature, block: &syn::Block, lines: usize) {
        let outer = std::mem::take(&mut self.nesting);
        let mut depth = Depth::default();
        depth.visit_block(block);
        let typed = signature.inputs.iter().filter_map(|input| match input {
            syn::FnArg::Typed(typed) => Some(&*typed.ty),
            syn::FnArg::Receiver(_) => None,
        });
        let is_bool =
            |ty: &syn::Type| matches!(ty, syn::Type::Path(path) if path.path.is_ident("bool"));
        self.functions.push(Function {
            name: format!("{}: {}", self.file, signature.ident),
            lines,
            nesting: depth.deepest,
            parameters: typed.clone().count(),
            has_bare_bool: self.in_trait_impl == 0 && typed.into_iter().any(is_bool),
        });
        self.nesting = outer;
    }

    fn panics_at(&mut self, what: &str, line: usize) {
        self.panics.push(format!("{}:{line}: {what}", self.file));
    }
}

/// How deep control flow nests: `if`, `match`, loops and closures with a block.
#[derive(Default)]
struct Depth {
    now: usize,
    deepest: usize,
}

impl Depth {
    fn inside(&mut self, visit: impl FnOnce(&mut Self)) {
        self.now += 1;
        self.deepest = self.deepest.max(self.now);
        visit(self);
        self.now -= 1;
    }
}

impl<'ast> Visit<'ast> for Depth {
    fn visit_item(&mut self, _: &'ast syn::Item) {}
    fn visit_expr_match(&mut self, found: &'ast syn::ExprMatch) {
        self.inside(|depth| syn::visit::visit_expr_match(depth, found));
    }
    fn visit_expr_for_loop(&mut self, found: &'ast syn::ExprForLoop) {
        self.inside(|depth| syn::visit::visit_expr_for_loop(depth, found));
    }
    fn visit_expr_while(&mut self, found: &'ast syn::ExprWhile) {
        self.inside(|depth| syn::visit::visit_expr_while(depth, found));
    }
    fn visit_expr_loop(&mut self, found: &'ast syn::ExprLoop) {
        self.inside(|depth| syn::visit::visit_expr_loop(depth, found));
    }
    fn visit_expr_if(&mut self, found: &'ast syn::ExprIf) {
        self.inside(|depth| {
            depth.visit_expr(&found.cond);
            depth.visit_block(&found.then_branch);
        });
        // An `else if` is the next row of the same decision, not a deeper one.
        match found.else_branch.as_ref().map(|(_, branch)| &**branch) {
            Some(syn::Expr::If(next)) => self.visit_expr_if(next),
            Some(other) => self.inside(|depth| depth.visit_expr(other)),
            None => {}
        }
    }
}

impl<'ast> Visit<'ast> for Numbers {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if source::is_test_only(source::attributes(item)) {
            self.test_lines += source::lines(item);
            return;
        }
        match item {
            syn::Item::Fn(item) => {
                self.public_item(&item.sig.ident.to_string(), &item.vis, &item.attrs)
            }
            syn::Item::Struct(item) => {
                self.public_item(&item.ident.to_string(), &item.vis, &item.attrs)
            }
            syn::Item::Enum(item) => {
                self.public_item(&item.ident.to_string(), &item.vis, &item.attrs)
            }
            syn::Item::Trait(item) => {
                self.public_item(&item.ident.to_string(), &item.vis, &item.attrs)
            }
            syn::Item::Const(item) => {
                self.public_item(&item.ident.to_string(), &item.vis, &item.attrs)
            }
            syn::Item::Type(item) => {
                self.public_item(&item.ident.to_string(), &item.vis, &item.attrs)
            }
            _ => {}
        }
        syn::visit::visit_item(self, item);
    }
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block, source::lines(&item.block) + 1);
        syn::visit::visit_item_fn(self, item);
    }
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of_trait = usize::from(item.trait_.is_some());
        self.in_trait_impl += of_trait;
        syn::visit::visit_item_impl(self, item);
        self.in_trait_impl -= of_trait;
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if source::is_test_only(&item.attrs) {
            return;
        }
        self.public_item(&item.sig.ident.to_string(), &item.vis, &item.attrs);
        self.function(&item.sig, &item.block, source::lines(&item.block) + 1);
        syn::visit::visit_impl_item_fn(self, item);
    }
    fn visit_field(&mut self, field: &'ast syn::Field) {
        if let Some(name) = &field.ident {
            self.public_item(&name.to_string(), &field.vis, &field.attrs);
        }
    }
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        match call.method.to_string().as_str() {
            "unwrap" | "unwrap_err" => self.panics_at("unwrap", source::line(&call.method)),
            "expect" | "expect_err" if !is_proof(call.args.first()) => {
                self.panics_at("expect without a proof", source::line(&call.method));
            }
            _ => {}
        }
        syn::visit::visit_expr_method_call(self, call);
    }
    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        let name =
            found.path.segments.last().map(|part| part.ident.to_string()).unwrap_or_default();
        if matches!(name.as_str(), "panic" | "todo" | "unimplemented" | "unreachable") {
            self.panics_at(&format!("{name}!"), source::line(&found.path));
        }
    }
}

fn is_proof(argument: Option<&syn::Expr>) -> bool {
    match argument {
        Some(syn::Expr::Lit(literal)) => match &literal.lit {
            syn::Lit::Str(text) => text.value().chars().count() >= PROOF_CHARACTERS_MIN,
            _ => true,
        },
        Some(_) => true,
        None => false,
    }
}

fn name(file: &SourceFile) -> String {
    file.path.strip_prefix(source::root()).unwrap_or(&file.path).display().to_string()
}

fn numbers() -> Vec<(usize, Numbers)> {
    let own = source::files().into_iter().filter(|file| !file.is_test);
    own.map(|file| (file.text.lines().count(), Numbers::of(&name(&file), &file.syntax))).collect()
}

fn lines_max(file: &str) -> usize {
    match file.rsplit('/').next() {
        Some("mod.rs") => MOD_FILE_LINES_MAX,
        Some("main.rs") => MAIN_LINES_MAX,
        _ => FILE_LINES_MAX,
    }
}

#[test]
fn files_and_functions_stay_small() {
    let (mut faults, mut files, mut functions) = (Vec::new(), Vec::new(), Vec::new());
    for (lines, numbers) in numbers() {
        let lines = lines.saturating_sub(numbers.test_lines);
        let most = lines_max(&numbers.file);
        if lines > most {
            faults.push(format!("{}: {lines} lines without tests, at most {most}", numbers.file));
        }
        files.push((lines, numbers.file.clone()));
        functions.extend(numbers.functions);
    }
    files.sort();
    functions.sort_by_key(|function| function.lines);
    for (lines, file) in files.iter().rev().take(5) {
        println!("{lines:5} lines  {file}");
    }
    for function in functions.iter().rev().take(5) {
        println!("{:5} lines  {}", function.lines, function.name);
    }
    println!("{:5} deepest nesting", functions.iter().map(|f| f.nesting).max().unwrap_or(0));
    println!("{:5} functions in {} files", functions.len(), files.len());
    for function in &functions {
        let about = [
            (function.lines > FUNCTION_LINES_MAX, format!("{} lines", function.lines)),
            (function.nesting > NESTING_MAX, format!("nests {} deep", function.nesting)),
            (function.parameters > PARAMETERS_MAX, format!("{} parameters", function.parameters)),
            (function.has_bare_bool, "has a bare bool parameter".to_owned()),
        ];
        let wrong = about.into_iter().filter(|(wrong, _)| *wrong);
        faults.extend(wrong.map(|(_, what)| format!("{}: {what}", function.name)));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_public_item_is_documented() {
    let all = numbers();
    let public: usize = all.iter().map(|(_, numbers)| numbers.public).sum();
    let undocumented: Vec<&String> =
        all.iter().flat_map(|(_, numbers)| &numbers.undocumented).collect();
    println!("{public} public items, {} undocumented", undocumented.len());
    assert!(undocumented.is_empty(), "{undocumented:#?}");
}

#[test]
fn nothing_panics_without_a_proof() {
    let panics: Vec<String> =
        numbers().into_iter().flat_map(|(_, numbers)| numbers.panics).collect();
    println!("{} places that could panic without a proof", panics.len());
    assert!(panics.is_empty(), "{}", panics.join("\n"));
}

#[test]
fn the_rule_of_the_mission_is_known_to_nobody_but_the_generator() {
    let knows: Vec<String> = source::files()
        .iter()
        .filter(|file| !file.is_test && file.module.first().is_none_or(|part| part != "generate"))
        .filter(|file| file.text.contains("user.mfa.factor.reset_all"))
        .map(name)
        .collect();
    assert!(knows.is_empty(), "{knows:?} know the rule's text");
}

fn count(text: &str) -> Numbers {
    Numbers::of("synthetic.rs", &syn::parse_file(text).expect("the synthetic file parses"))
}

#[test]
fn panics_are_found_and_tests_are_left_out() {
    let check = |text: &str, panics: usize| assert_eq!(count(text).panics.len(), panics, "{text}");
    check("fn f() { x.unwrap(); }", 1);
    check("fn f() { x.expect(\"short\"); }", 1);
    check("fn f() { x.expect(\"the list was filled above\"); }", 0);
    check("fn f() { panic!(\"no\") }", 1);
    check("fn f() { unimplemented!() }", 1);
    check("#[cfg(test)] mod tests { fn f() { x.unwrap(); } }", 0);
    check("#[test] fn f() { x.unwrap(); }", 0);
}

#[test]
fn nesting_parameters_and_documents_are_counted() {
    let nesting = |text: &str| count(text).functions[0].nesting;
    assert_eq!(nesting("fn f() { if a { for b in c { match d { _ => while e {} } } } }"), 4);
    assert_eq!(nesting("fn f() { if a {} else if b {} else if c {} }"), 1);
    assert_eq!(nesting("fn f() { g(); }"), 0);
    let function = &count("fn f(a: u8, b: bool) {\n}\n").functions[0];
    assert_eq!((function.parameters, function.has_bare_bool, function.lines), (2, true, 3));
    assert_eq!(count("pub struct S { pub a: u8 }").undocumented.len(), 2);
    assert_eq!(count("/// S.\npub struct S {\n/// a.\npub a: u8 }").undocumented.len(), 0);
}
