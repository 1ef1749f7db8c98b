package check

func (c *checker) cost() {}
