package main
import ("context";"github.com/readership/readership/bench/dataset")
func openEngine(ctx context.Context, clicks []dataset.Click, threads int) (system, error) { return openDuckDB(ctx, clicks, threads) }
