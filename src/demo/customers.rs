//! Who the demo's customers are: the names, and what is told about each business.
//!
//! Names are given in the order they are handed out, so a note of a trade finds its business by place.

/// Three of these come before each organization. The first word is the given name.
pub(super) const PEOPLE: &str = "\
Darlene Whitfield, Marcus Tolliver, María Muñoz, Bill Hendrix, Keisha Broadnax, Linh Nguyễn,
Patrick O'Brien, Sunita Raghavan, Joanna Pruitt, Terrence Maddox, Caroline Ashworth, Hyun-woo Bae,
Wanda Gilliam, Emeka Okonkwo, Beth Stallworth, Raúl Ibáñez-Ortega, Ginger Lockridge, Otto Weidmann,
Latoya Fennell, Clay Burgess, Mei-Ling Zhao, Vernon Sparks, Aisha Rahmani, Tommy Ledbetter,
Renée Thibodeaux, Dwight Cunningham, Priya Venkatesan, Harold Eubanks, Shanice Merriweather, Luke Swafford,
Zofia Kowalczyk, Jimmy Hargett, Tamika Pettway, Nora McAllister, Andrés Villaseñor, Faye Bracken,
Solomon Tadesse, Becky Tidmore, Minh Trần, Curtis Yarbrough, Deborah Feinstein, Walker Hightower,
Yolanda Scruggs, Erik Sørensen, Peggy Vandiver, DeAndre Lyles, Rosalind Achebe, Travis McNutt,
Hannah Grünewald, Leon Featherston, Xiomara Peña, Charlotte D'Amico, Roosevelt Minor, Kavita Deshpande,
Stan Brzezicki, Monique Garland, Ethan Prewitt, Ji-yeon Kwak, Alma Castañeda, Russell Tanner,
Bernice Goodloe, Callum Fraser, Thu Phạm, Lamar Chatman, Susan Entrekin, Omar Haddad,
Jolene Crabtree, Isaac Blumenthal, Felicia Rucker, Dale Nunnally, Inés Quiñones, Wes Culpepper,
Nkechi Eze, Martha Hollis, Reggie Birdsong, Anneliese Köhler, Chad Overstreet, Imani Lockhart,
Gabriel Fuentes, Trudy Wilhoite, Sanjay Mukherjee, Velma Echols, Conor O'Malley, Latrice Hobson,
Dorothy Kirkpatrick, Jamal Steward, Noémie Fontaine, Buddy Alldredge, Catalina Rojas, Winston Clarke,
Molly Sandlin, Abebe Worku, Glenda Posey, Khalil Mansour, Heather Rigsby, Tuấn Đặng,
Percy Whitlow, Ashley Cantrell, Gerardo Núñez, Frances Tuck, Malik Pendergrass, Ingrid Halvorsen,
Ronnie Gaines, Shreya Kulkarni, Ellis Drummond, Lupe Arredondo, Joyce Terrell, Tobias Lindgren,
Vivian Cho, Cedric Holloway, Amelia Stovall, Rufus Langford, Paloma Saldaña, Kenneth Wray,
Oluwaseun Adeyemi, Sherry Bonds, Dmitri Volkov, Carla Mayfield, Hoa Lê, Jasper Townsend,
Mildred Acklin, Fernando Bolaños, Kristen Hambrick, Tyrone Sledge, Siobhán Kearney, Gil Abernathy,
Lakeisha Toney, Rajesh Iyer, Opal Clemons, Brandon Ziegler, Soledad Márquez, Cora Threadgill,
Yusuf Demir, Judith Rosenbaum, Antoine Baptiste, Lacey Dunaway, Mohan Pillai, Estelle Gunter,
Grady McElroy, Nadia Petrova, Demetrius Coles, Annie Swimmer, Haruto Ishikawa, Loretta Vines,
Skyler Birdwell, Mercedes Ávila, Preston Nolen, Tameka Osborne, Vlad Ionescu, Cynthia Beasley";

/// Organizations of one trade, which are cleaned in much the same way.
pub(super) struct Trade {
    pub(super) tags: &'static [&'static str],
    pub(super) names: &'static str,
    pub(super) preferred_time: &'static str,
    pub(super) in_suites: bool,
    pub(super) sites: std::ops::Range<usize>,
    /// The first note is about the first name, and so on; the later names have none.
    pub(super) notes: &'static [&'static str],
}

pub(super) const TRADES: [Trade; 8] = [
    Trade {
        tags: &["restaurant", "monthly"],
        names: "The Copper Ladle, Booster Stage Biscuits, Phở Mặt Trời, Blue Heron Coffee Roasters, \
            Casa Villaseñor Taqueria, Skillet & Spruce, Lakshmi's Kitchen, Old Trestle Diner, \
            Smoke Ring Barbecue, Paper Moon Pizzeria",
        preferred_time: "morning",
        in_suites: false,
        sites: 1..2,
        notes: &[
            "Done before ten, they open at eleven. Patio chairs have to be moved and put back.",
            "Grease film on the kitchen side, bring degreaser. Pays cash from the register.",
            "Neon sign in the front window: dry cloth only around it.",
            "Outside every two weeks, inside once a month. Forty-five dollars outside only.",
            "Hand-painted lettering on the inside of the door glass, no scraper there.",
        ],
    },
    Trade {
        tags: &["medical", "monthly"],
        names: "Limestone Gap Family Dental, Bright Harbor Orthodontics, Okafor Pediatric Dentistry, \
            Wren & Ashby Dermatology, Two Creeks Animal Clinic, Northbeam Eye Care, \
            Cedar Glen Physical Therapy, Hollow Oak Dental Arts",
        preferred_time: "any",
        in_suites: true,
        sites: 1..2,
        notes: &[
            "Closed on Fridays, the office manager lets us in then. Hard water stains by the sprinklers.",
            "Treatment rooms over lunch only, twelve to one. Shoe covers inside.",
            "Murals on the inside of the waiting room glass: outside only there.",
            "Mirror film on the west side. Soft brush, no ammonia, no scraper.",
        ],
    },
    Trade {
        tags: &["realtor"],
        names: "Magnolia PermissionClass Realty, Tupelo Lane Homes, Osei & Daughters Real Estate, \
            Cotton Gin Realty Group, Porchlight Properties, Ridge & River Realty",
        preferred_time: "any",
        in_suites: true,
        sites: 1..2,
        notes: &[
            "Sends us listings before the photos are taken; usually two days' notice. Bills to the office.",
            "Move-out cleans: take the screens off, label them, leave them in the garage.",
            "Wants a price before each house. Fair but always asks for ten percent off.",
        ],
    },
    Trade {
        tags: &["school", "quarterly"],
        names: "Bailey Hollow Montessori School, Little Comets Child Care, Saint Brigid Academy, \
            Sparrow Street Music School",
        preferred_time: "afternoon",
        in_suites: false,
        sites: 1..2,
        notes: &[
            "Only after dismissal or in the holidays. Sign in at the front desk and wear the badge.",
            "Low windows have small hand prints inside every time; allow an extra half hour.",
        ],
    },
    Trade {
        tags: &["worship", "twice-a-year"],
        names: "Covenant Oaks Presbyterian Church, Greater Morning Light Baptist Church, \
            Iglesia Roca Firme, Saint Columba Lutheran Church, Beth Ora Synagogue",
        preferred_time: "any",
        in_suites: false,
        sites: 1..2,
        notes: &[
            "Stained glass has storm windows over it: clean the outside pane only. Before Easter and Advent.",
            "Narthex glass is two stories, thirty-two foot ladder or the pole. The trustees pay by check.",
            "Call first, there may be a funeral. Fellowship hall gutters are ours too, every November.",
        ],
    },
    Trade {
        tags: &["property-manager", "quarterly"],
        names: "Tall Pines Property Management, Perihelion Residential, Flint Bend Apartments, \
            Clearbrook Leasing, Keystone Row Lofts Association, Hollis & Grant Management",
        preferred_time: "any",
        in_suites: false,
        sites: 3..6,
        notes: &[
            "One invoice for all buildings, purchase order number on it or it is not paid.",
            "Common areas and stairwells only, tenants order their own windows.",
            "Tenants get notice three days ahead; send the dates a week before. Breezeway screens every spring.",
            "Pays in thirty days by check, never early. Price was agreed through the end of the year.",
        ],
    },
    Trade {
        tags: &["retail", "monthly"],
        names: "Juniper & Sage Salon, Spoke and Chain Bicycles, Second Chapter Books, \
            Petal & Vine Florist, Velvet Thread Bridal, Muddy Paws Grooming",
        preferred_time: "morning",
        in_suites: false,
        sites: 1..2,
        notes: &[
            "Hairspray film on the inside mirrors and the front glass, takes two passes.",
            "Bikes stand against the window until nine: come right at opening and they will move them.",
        ],
    },
    Trade {
        tags: &["office", "quarterly"],
        names: "Hargrove Lindqvist Attorneys, Apogee Bend Engineering, Plumb Line Credit Union, \
            Ngô Accounting, Burnside Insurance Agency",
        preferred_time: "afternoon",
        in_suites: true,
        sites: 1..2,
        notes: &[
            "Conference room is booked most mornings. Ask at reception before going upstairs.",
            "Visitor badge and an escort on the second floor. Leave phones at the desk.",
        ],
    },
];
