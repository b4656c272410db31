//! Where the demo's customers are: cities and ZIP codes that belong together, and how to get in.
//!
//! The streets are real ones of their ZIP codes or sound like them; the house numbers are made up.

/// A ZIP code with its streets; the position is in ten-thousandths of a degree.
pub(super) struct Area {
    pub(super) city: &'static str,
    pub(super) postal_code: &'static str,
    pub(super) latitude: i32,
    pub(super) longitude: i32,
    pub(super) lowest_number: usize,
    pub(super) highest_number: usize,
    pub(super) lanes: &'static str,
    pub(super) roads: &'static str,
}

/// One line of the table below.
const fn area(
    (city, postal_code): (&'static str, &'static str),
    (latitude, longitude): (i32, i32),
    (lowest_number, highest_number): (usize, usize),
    lanes: &'static str,
    roads: &'static str,
) -> Area {
    Area { city, postal_code, latitude, longitude, lowest_number, highest_number, lanes, roads }
}

/// The first are the busiest, see `BUSY_AREAS`.
pub(super) const AREAS: [Area; 16] = [
    area(
        ("Huntsville", "35801"),
        (347_265, -865_703),
        (300, 1_400),
        "Adams Street SE, Randolph Avenue SE, Locust Avenue SE, Eustis Avenue SE, Owens Drive SE",
        "Governors Drive SE, Clinton Avenue E, Franklin Street SE",
    ),
    area(
        ("Madison", "35758"),
        (347_020, -867_480),
        (100, 900),
        "Eastview Drive, Mill Road, Gillespie Road, Balch Road, Pension Row, Maple Street",
        "Hughes Road, Madison Boulevard, Main Street",
    ),
    area(
        ("Huntsville", "35802"),
        (346_710, -865_590),
        (700, 4_200),
        "Garth Road SE, Weatherly Road SE, Four Mile Post Road SE, Jones Valley Drive SE",
        "Whitesburg Drive S, Carl T Jones Drive SE",
    ),
    area(
        ("Huntsville", "35803"),
        (346_190, -865_530),
        (7_000, 11_900),
        "Hobbs Road SE, Camelot Drive SE, Chicamauga Trail SE, Green Cove Road SE",
        "Bailey Cove Road SE, Memorial Parkway SW",
    ),
    area(
        ("Hampton Cove", "35763"),
        (346_830, -864_900),
        (100, 2_900),
        "Deford Mill Road SE, Hampton Bend Lane SE, Cove Meadow Circle SE, Old Mill Pond Way SE",
        "Hampton Cove Way SE, Eastern Bypass SE",
    ),
    area(
        ("Athens", "35611"),
        (348_030, -869_720),
        (200, 1_500),
        "Hobbs Street W, Clinton Street N, Forrest Street W, Beaty Street N",
        "Jefferson Street S, Market Street W",
    ),
    area(
        ("Madison", "35756"),
        (346_420, -867_850),
        (100, 990),
        "Segers Road, Powell Road, Old Jim Williams Road, Mooresville Road",
        "County Line Road, Zierdt Road",
    ),
    area(
        ("Huntsville", "35805"),
        (347_060, -866_160),
        (2_000, 3_900),
        "9th Avenue SW, Patton Road SW, Alpine Street SW, Hillcrest Avenue SW",
        "Drake Avenue SW, Triana Boulevard SW, Bob Wallace Avenue SW",
    ),
    area(
        ("Owens Cross Roads", "35763"),
        (346_690, -864_810),
        (100, 3_200),
        "Sutton Road SE, Old Big Cove Road, Cherry Tree Road, Terry Drake Road",
        "Highway 431 S, Taylor Road SE",
    ),
    area(
        ("Huntsville", "35806"),
        (347_440, -866_720),
        (100, 1_700),
        "Indian Creek Road NW, Providence Main Street NW, Oakwood Road NW, Ashburn Terrace NW",
        "Old Madison Pike NW, Explorer Boulevard NW, Research Drive NW",
    ),
    area(
        ("Decatur", "35601"),
        (346_010, -869_820),
        (300, 1_900),
        "Sherman Street SE, Johnston Street SE, Grant Street SE, Line Street NE",
        "Bank Street NE, 2nd Avenue SE, 6th Avenue SE",
    ),
    area(
        ("Huntsville", "35810"),
        (347_790, -866_080),
        (2_300, 5_600),
        "Blue Spring Road NW, Mastin Lake Road NW, Delia Lane NW, Grizzard Road NW",
        "Pulaski Pike NW, Sparkman Drive NW",
    ),
    area(
        ("Harvest", "35749"),
        (348_550, -867_420),
        (100, 2_800),
        "Old Railroad Bed Road, Ford Chapel Road, Kelly Spring Road, McKee Road",
        "Jeff Road, Wall Triana Highway",
    ),
    area(
        ("Huntsville", "35811"),
        (347_790, -865_430),
        (200, 2_900),
        "Shields Road NE, Homer Nance Road NE, Maysville Road NE, Epworth Drive NE",
        "Winchester Road NE, Moores Mill Road NE",
    ),
    area(
        ("Madison", "35757"),
        (347_880, -867_450),
        (100, 2_600),
        "Nick Davis Road, McCrary Road, Nance Road, Dupree Worthey Road",
        "Highway 72 W, Capshaw Road",
    ),
    area(
        ("Huntsville", "35816"),
        (347_390, -866_250),
        (2_400, 4_800),
        "Evangel Drive NW, Medaris Drive NW, Mayfair Drive NW, Bonnell Drive NW",
        "University Drive NW, Jordan Lane NW",
    ),
];

/// So many areas at the head of the list get twice as many customers as the others.
pub(super) const BUSY_AREAS: usize = 5;

/// How far, in ten-thousandths of a degree, an address lies from the middle of its area.
pub(super) const SCATTER: [i32; 11] = [-61, 34, -12, 78, -43, 9, 57, -76, 21, -28, 66];

pub(super) const HOME_ACCESS: [&str; 22] = [
    "Gate code 4417, then the first drive on the left.",
    "Side gate sticks, lift and push.",
    "Gate code 0926#, closes by itself.",
    "Park in the street, the driveway is shared.",
    "Spigot is behind the air conditioner.",
    "Community gate: dial 118 and they will open.",
    "Key with the neighbor on the right.",
    "Gate code 7730.",
    "Come round the back, the front bell is broken.",
    "Garage keypad 5512, water tap inside on the left.",
    "Long gravel drive, mailbox with a red bird.",
    "Gate code 2081*, wait for the green light.",
    "Ring twice.",
    "Second driveway after the church.",
    "Lockbox on the porch rail, code 3164.",
    "Gate is open from eight to five.",
    "Steep drive: leave the trailer at the bottom.",
    "Gate code 6605, tell the guard which house.",
    "House is behind the one you see from the road.",
    "Spigot on the east wall, needs a key (we have one).",
    "Back gate has a bungee cord, hook it again.",
    "Gate code 1949.",
];

pub(super) const BUSINESS_ACCESS: [&str; 10] = [
    "Back door by the dumpsters, ring the bell.",
    "Park behind the building, the front is for customers.",
    "Alarm is off from seven on weekdays.",
    "Water tap is in the mop closet next to the restrooms.",
    "Ask for the manager on duty.",
    "Key at the front desk, sign for it.",
    "Service door on the west side, code 8802.",
    "Outside water is shut off in winter, ask for the key.",
    "Use the side entrance, code 3390.",
    "Spigot on the north wall behind the hedge.",
];

pub(super) const BUILDINGS: &str = "Willow Court, The Arbors, Foxglove Place, Quarry Lofts, Stillwater Commons, \
    Heron Landing, Maple Row, Overlook Terrace, Cotton Yard, Juniper Square, Lantern Hill, \
    Brickyard Flats, Sycamore Walk, Depot Lofts, Laurel Bluff, Copperfield, Mill Race, Orchard PermissionClass";

pub(super) const SECOND_HOMES: &str = "Mother's house, Rental, Workshop, Son's house, Studio";
