// Puts the chosen theme on the page before anything is painted.
try {
  const { theme, language } = JSON.parse(localStorage.getItem('readership.preferences') ?? '{}')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  if (language === 'en' || language === 'de') document.documentElement.lang = language
} catch {
  // without storage the system's theme holds
}
