export function Brand() {
  return (
    <div className="brand">
      <img src="/favicon.svg" width="28" height="28" alt="" />
      Readership
    </div>
  )
}
