package event

// FactOffer is what readers are shown in place of a page. Key = the name that
// clauses give it, Value = Offer.
const FactOffer = "offer"

// Offer is a page over a verdict and an item. HTML and Redirect are templates
// (access/offer); both may be empty.
type Offer struct {
	Title    string `json:"title,omitempty"`
	HTML     string `json:"html,omitempty"`
	Redirect string `json:"redirect,omitempty"`
}
