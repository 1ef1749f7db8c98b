package demo

// section is a part of the newspaper: who writes there, about what, and how
// strongly it draws readers.
type section struct {
	name     string
	pull     float64
	authors  []string
	tags     []string
	patterns []string
	words    map[string][]string
}

// sectionWeights are the shares of the sections in what is published.
var sectionWeights = []float64{20, 14, 16, 12, 10, 16, 7, 5}

// everywhere holds words that all sections share.
var everywhere = map[string][]string{
	"place":  {"Northgate", "the old harbour", "Eastbrook", "the river district", "Millfield", "St. Anne’s", "the station quarter", "Westhaven", "the ring road", "Lindenhof"},
	"people": {"residents", "commuters", "parents", "students", "shopkeepers", "doctors", "tenants", "farmers", "teachers", "volunteers"},
	"season": {"this winter", "next spring", "by summer", "after the holidays", "within a year", "for the third time", "ahead of schedule"},
}

var sections = []section{
	{
		name: "politics", pull: 1.2,
		authors: []string{"Marta Lindqvist", "Jonas Achterberg", "Priya Raman", "Tom Ashdown"},
		tags:    []string{"council", "budget", "election", "housing", "transport", "parliament"},
		patterns: []string{"Council votes {outcome} {plan} in {place}", "What {plan} means for {people}", "Minister defends {plan} after {trouble}",
			"{trouble} puts {plan} in doubt", "Opposition calls for a halt to {plan}", "Who pays for {plan}? {n} answers", "Mayor promises {plan} {season}"},
		words: map[string][]string{
			"outcome": {"narrowly for", "against", "to delay", "unanimously for", "to rethink"},
			"plan":    {"the tram extension", "a rent cap", "the new budget", "a night-bus network", "the school reform", "a city toll", "the housing programme", "the port deal"},
			"trouble": {"a leaked report", "weeks of protest", "a court ruling", "rising costs", "a close vote"},
		},
	},
	{
		name: "economy", pull: 0.9,
		authors: []string{"Helena Brandt", "Samuel Okoro", "Ines Carvalho"},
		tags:    []string{"jobs", "energy", "trade", "property", "banks", "start-ups"},
		patterns: []string{"{firm} to cut {n} jobs in {place}", "Why {goods} cost more {season}", "{firm} bets on {idea}", "{goods}: prices fall for the {n}th week",
			"How {firm} survived {crisis}", "{people} feel the price of {goods}", "The quiet boom in {idea}"},
		words: map[string][]string{
			"firm":   {"Nordwerk", "Harbour Logistics", "the shipyard", "Bluepeak Energy", "the savings bank", "Atlas Foods", "the airport"},
			"goods":  {"rents", "bread and butter", "heating oil", "electricity", "used cars", "coffee", "train tickets"},
			"idea":   {"heat pumps", "cargo bikes", "recycled steel", "offshore wind", "repair shops", "data centres"},
			"crisis": {"the freight crisis", "a bad decade", "the loss of its biggest client", "the energy shock"},
		},
	},
	{
		name: "sport", pull: 1.3,
		authors: []string{"Kofi Mensah", "Lena Sorensen", "Rui Teixeira"},
		tags:    []string{"football", "handball", "cycling", "athletics", "transfers", "derby"},
		patterns: []string{"{team} beat {rival} in a late {drama}", "{team} against {rival}: minute by minute", "Coach of {team} explains {decision}", "{n} goals, one {drama}: the weekend in short",
			"{team} sign a striker from {rival}", "Can {team} still win the title?", "After the {drama}: {team} look ahead"},
		words: map[string][]string{
			"team":     {"Harbour United", "the Gulls", "Northgate FC", "the national team", "SC Eastbrook"},
			"rival":    {"Westhaven", "Old Mill Rovers", "the champions", "Port Albion", "Rivermouth"},
			"drama":    {"comeback", "penalty drama", "own goal", "thriller", "red card"},
			"decision": {"the late change", "his line-up", "a surprise resignation", "the new system"},
		},
	},
	{
		name: "culture", pull: 0.7,
		authors: []string{"Amélie Fontaine", "Viktor Hallgren", "Noor Haddad"},
		tags:    []string{"theatre", "film", "books", "music", "museum", "series"},
		patterns: []string{"{work}: a {verdict} evening at {stage}", "The {n} best books for {mood}", "{stage} opens with {work}", "Why everyone watches {work}",
			"A {verdict} look at {work}", "{stage} needs {n} million for its roof"},
		words: map[string][]string{
			"work":    {"“The Lighthouse Keeper”", "“Salt”", "the new Ibsen", "“Seven Winters”", "the jazz festival", "“Paper Cities”"},
			"verdict": {"brilliant", "puzzling", "long", "tender", "loud", "surprising"},
			"stage":   {"the opera", "the Harbour Theatre", "the city museum", "the old cinema", "the concert hall"},
			"mood":    {"long evenings", "the beach", "bad weather", "the train"},
		},
	},
	{
		name: "science", pull: 0.9,
		authors: []string{"Dr. Hanna Voss", "Mateo Rivas"},
		tags:    []string{"health", "climate", "space", "research", "animals", "medicine"},
		patterns: []string{"What {thing} can teach us about {topic}", "Researchers find {thing} near {place}", "{topic}: what is known, and what is not", "How much {habit} is healthy?",
			"{n} questions about {topic}", "The long way of {thing} to {place}"},
		words: map[string][]string{
			"thing": {"seagulls", "an old virus", "a lost shipwreck", "deep-sea corals", "wild bees", "a forgotten diary", "moss"},
			"topic": {"sleep", "the heat wave", "memory", "the rising sea", "the new vaccine", "the northern lights"},
			"habit": {"coffee", "running", "screen time", "salt", "sitting"},
		},
	},
	{
		name: "local", pull: 1.1,
		authors: []string{"Greta Holm", "Ben Carter", "Ayşe Demir", "Piotr Zielinski"},
		tags:    []string{"police", "traffic", "weather", "schools", "construction", "neighbourhood"},
		patterns: []string{"{event} in {place}: what we know", "{place}: {people} fight for {wish}", "Bridge to {place} closed for {n} days", "The {n} best {spots} in town",
			"Storm over {place}: {event}", "{people} of {place} wait for {wish}", "A day at {place} market"},
		words: map[string][]string{
			"event": {"fire in a warehouse", "crash at the crossing", "burst water main", "power cut", "police operation", "flooded cellars"},
			"wish":  {"a school", "the last bakery", "a cycle lane", "their swimming pool", "faster internet", "a doctor"},
			"spots": {"ice-cream parlours", "playgrounds", "second-hand shops", "walks", "breakfast places"},
		},
	},
	{
		name: "opinion", pull: 0.8,
		authors:  []string{"Ruth Abel", "Dmitri Sokolov", "Clara Weiss"},
		tags:     []string{"commentary", "column", "letters", "debate"},
		patterns: []string{"{thing} is not the problem", "Let us talk about {thing}", "In praise of {thing}", "{people}, listen: {thing} matters", "Why I changed my mind about {thing}"},
		words: map[string][]string{
			"thing": {"boredom", "the four-day week", "the tram", "small talk", "the city’s silence", "school uniforms", "the ban on cars", "patience"},
		},
	},
	{
		name: "travel", pull: 0.6,
		authors:  []string{"Isabel Moreau", "Finn O’Leary"},
		tags:     []string{"trains", "islands", "mountains", "weekend", "food"},
		patterns: []string{"By night train to {goal}", "{n} hours in {goal}", "{goal} without the crowds", "What a week in {goal} really costs", "A slow weekend in {goal}"},
		words: map[string][]string{
			"goal": {"Lisbon", "the Lofoten", "Trieste", "the Faroes", "Gdańsk", "Porto", "the Jura", "Palermo", "Riga"},
		},
	},
}
