//! A door whose pages are made of declarations alone: a form for every action, a list for every data type, and a few that say
//! more. No page of the product is among them; they show what one costs, and hold the kit to what it promises.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use capabilities::{Door as Came, Office, Registry, Source};
use ui_kit::{Column, Door, Field, Filter, Form, FormPage, List, ListPage, Ui, Visitor};

use crate::desk::Desk;
use crate::rest::Web;

/// A page for adding to the catalog.
pub const OFFER: FormPage = FormPage::at("/try/services/new", Form::of("service.create").title("Offer something"))
    .back("/try/services")
    .section("customers");

/// A page for changing an address.
const MOVE: FormPage = FormPage::at(
    "/try/addresses/{address_id}",
    Form::of("address.update")
        .title("Change the address")
        .fields(&[Field::of("street"), Field::of("label").label("What they call it").hint("")])
        .without(&["latitude", "longitude"])
        .button("Keep the change")
        .done("The address is changed."),
)
.back("/today");

/// A page for what is not to be taken back.
const DELETE: FormPage = FormPage::at(
    "/try/contacts/{contact_id}/delete",
    Form::of("contact.delete").it("customer").button("Delete").grave(),
)
.back("/contacts/{contact_id}")
.then("/contacts");

/// The catalog.
pub const CATALOG: ListPage = ListPage::at(
    "/try/services",
    List::of("services")
        .title("What we offer")
        .columns(&[
            Column::of("name").leads_to("/try/services/{id}"),
            Column::of("kind"),
            Column::of("pricing.price").label("Price"),
            Column::of("duration_minutes").label("Minutes"),
            Column::of("created_at").label("Since"),
        ])
        .filters(&[Filter::of("kind").any("Everything"), Filter::of("active").label("Offered")])
        .counted("service", "services", "by name")
        .empty("Nothing is offered yet.")
        .none_such("Nothing of that kind is offered."),
)
.section("customers");

/// The visits, to be searched by whatever they are about.
pub const VISITS: ListPage = ListPage::at(
    "/try/visits",
    List::of("tickets")
        .title("Visits")
        .columns(&[Column::of("contact_name").label("Customer"), Column::of("starts_at"), Column::of("total")])
        .filters(&[
            Filter::of("technician_id").called("who").label("Who").any("Anybody").record("users"),
            Filter::of("status"),
            Filter::of("from").first_day().label("From this day on"),
            Filter::of("to").last_day().label("up to this day"),
        ]),
);

fn kept<T>(of: T) -> &'static T {
    Box::leak(Box::new(of))
}

/// A form at `/try/<action>` for every action, and a list at `/all/<data type>` for every data type.
fn everything(registry: &Registry) -> (Vec<FormPage>, Vec<ListPage>) {
    let forms = registry
        .actions()
        .map(|action| FormPage::at(kept(format!("/try/{}", action.name)), Form::of(action.name)).back("/today"));
    let lists = registry.data_types().map(|entry| {
        let names = entry.marked_row()["properties"].as_object().unwrap().keys().cloned();
        // Addresses are for programs.
        let names = names.filter(|name| !name.ends_with("_url"));
        let columns: Vec<Column> = names.map(|name| Column::of(kept(name))).collect();
        let filters = entry.marked_filters().unwrap()["properties"].as_object().cloned().unwrap_or_default();
        let filters: Vec<Filter> = filters.keys().cloned().map(|name| Filter::of(kept(name))).collect();
        let list = List::of(entry.name).title(entry.name).columns(kept(columns)).filters(kept(filters));
        ListPage::at(kept(format!("/all/{}", entry.name)), list)
    });
    (forms.collect(), lists.collect())
}

/// The doors of a desk, and this one.
pub async fn with_kit(desk: Desk) -> Web {
    let mut web = Web::of(desk, &[]).await;
    let office = web.desk.office.clone();
    let (mut forms, mut lists) = everything(office.registry());
    forms.extend([OFFER, MOVE, DELETE]);
    lists.extend([CATALOG, VISITS]);
    let own = Door { templates: None, styles: &[], surround: None, forms: kept(forms), lists: kept(lists) };
    let product = [office_ui::DOOR, authorization_queue_ui::DOOR].map(|door| Door { forms: &[], lists: &[], ..door });
    let ui = Ui::new(&office, &[product[0], product[1], own]).unwrap();
    let routes = ui.routes().layer(from_fn_with_state(office, visit));
    web.doors = web.doors.clone().merge(routes);
    web
}

/// Puts whoever is signed in beside the request, as the program does.
async fn visit(State(office): State<Arc<Office>>, mut request: Request, next: Next) -> Response {
    let cookie = request.headers()["cookie"].to_str().unwrap();
    let session = office.authenticate_session(cookie.strip_prefix("frontdesk_session=").unwrap()).await.unwrap();
    let (csrf, did) = (session.token.csrf(), Visitor::did(request.uri().query()));
    let source = Source::of(Came::Page);
    request.extensions_mut().insert(Visitor { caller: session.caller, session: session.token, csrf, source, did });
    next.run(request).await
}
