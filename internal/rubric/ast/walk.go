package ast

// Walk calls visit with n and, where that returns true, walks its children in
// the order in which they are written. Nil children are left out; comments are
// no children.
func Walk(n Node, visit func(Node) bool) {
	if !visit(n) {
		return
	}
	w := walker(visit)
	switch n := n.(type) {
	case *Program:
		if n.Version != nil {
			w.walk(n.Version)
		}
		each(w, n.Decls)
	case *Use:
		w.text(n.File)
	case *Let:
		w.name(n.Name)
		each(w, n.Params)
		w.expr(n.Body)
	case *Segment:
		w.name(n.Name)
		w.expr(n.Body)
	case *Meter:
		w.name(n.Name)
		each(w, n.Options)
		w.expr(n.Body)
	case *Metric:
		w.name(n.Name)
		w.expr(n.Body)
	case *Access:
		w.name(n.Name)
		each(w, n.Options)
		each(w, n.Clauses)
	case *Option:
		w.name(n.Name)
		w.expr(n.Value)
		w.expr(n.Arg)
	case *Clause:
		w.name(n.Name)
		w.expr(n.Cond)
		w.name(n.Burns)
		if n.Price != nil {
			w.walk(n.Price)
		}
		w.name(n.Offers)
	case *Price:
		w.expr(n.Amount)
		w.name(n.Currency)
	case *Strategy:
		w.name(n.Name)
		each(w, n.Candidates)
		each(w, n.Stages)
	case *Candidate:
		w.expr(n.Weight)
		if n.Source != nil {
			w.walk(n.Source)
		}
	case *Test:
		w.text(n.Title)
		each(w, n.Setup)
		each(w, n.Steps)
	case *SiteSetup:
		each(w, n.Entries)
	case *ItemSetup:
		w.name(n.First)
		w.name(n.Last)
		each(w, n.Entries)
	case *ReaderSetup:
		each(w, n.Entries)
	case *Arg:
		w.name(n.Name)
		w.expr(n.Value)
	case *Entry:
		w.name(n.Key)
		w.expr(n.Value)
	case *ReadStep:
		w.time(n.At)
		each(w, n.Items)
		w.name(n.Through)
	case *EventStep:
		w.time(n.At)
		w.text(n.Type)
		each(w, n.Entries)
	case *LoginStep:
		w.time(n.At)
		w.text(n.Account)
	case *LogoutStep:
		w.time(n.At)
	case *ExpectStep:
		w.time(n.At)
		w.expr(n.Cond)
	case Stage:
		w.stage(n)
	case Expr:
		w.children(n)
	}
}

type walker func(Node) bool

func (w walker) walk(n Node) { Walk(n, w) }

func (w walker) expr(e Expr) {
	if e != nil {
		w.walk(e)
	}
}

func (w walker) name(n *Name) {
	if n != nil {
		w.walk(n)
	}
}

func (w walker) text(t *Text) {
	if t != nil {
		w.walk(t)
	}
}

func (w walker) time(t *Time) {
	if t != nil {
		w.walk(t)
	}
}

func each[N Node](w walker, nodes []N) {
	for _, n := range nodes {
		w.walk(n)
	}
}

// children walks what an expression consists of.
func (w walker) children(e Expr) {
	switch e := e.(type) {
	case *Select:
		w.expr(e.X)
		w.name(e.Name)
	case *Call:
		w.expr(e.Fun)
		each(w, e.Args)
	case *List:
		each(w, e.Items)
	case *Unary:
		w.expr(e.X)
	case *Binary:
		w.expr(e.X)
		w.expr(e.Y)
	case *If:
		w.expr(e.Cond)
		w.expr(e.Then)
		w.expr(e.Else)
	case *Pipe:
		w.expr(e.X)
		each(w, e.Stages)
	case *Verdict:
		w.name(e.Clause)
	}
}

// stage walks what a stage consists of.
func (w walker) stage(s Stage) {
	switch s := s.(type) {
	case *Where:
		w.expr(s.Cond)
	case *Last:
		w.expr(s.Duration)
	case *Since:
		w.expr(s.Time)
	case *FromFirst:
		w.expr(s.Duration)
	case *Distinct:
		each(w, s.Keys)
	case *By:
		each(w, s.Keys)
	case *Then:
		w.expr(s.Stream)
		w.expr(s.Within)
	case *Unless:
		w.expr(s.Stream)
		w.expr(s.Within)
	case *End:
		w.expr(s.Of)
	case *Apply:
		w.name(s.Fun)
		each(w, s.Args)
	case *Boost:
		w.expr(s.Factor)
		w.expr(s.Cond)
	case *AtMost:
		w.expr(s.Count)
		w.expr(s.Key)
	case *Pin:
		w.expr(s.Item)
		w.expr(s.Place)
	case *Take:
		w.expr(s.Count)
	}
}
