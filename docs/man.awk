# Turns docs/kist.1.md into a manual page: awk -v version=0.1.0 -f docs/man.awk docs/kist.1.md > kist.1
# Knows what that page uses: # title, ## section, ### command, paragraphs, "- " items, indented examples, **bold**,
# *emphasis* and `code`.

function inline(text) {
  gsub(/\\/, "\\e", text)
  gsub(/-/, "\\-", text)
  while (match(text, /`[^`]+`/)) text = around(text, "B")
  while (match(text, /\*\*[^*]+\*\*/)) text = around(text, "B")
  while (match(text, /\*[^*]+\*/)) text = around(text, "I")
  sub(/^[.']/, "\\\\\\&&", text)
  gsub(/\001/, "*", text)
  return text
}

function around(text, font,    inner) {
  inner = substr(text, RSTART, RLENGTH)
  sub(/^(\*\*|\*|`)/, "", inner)
  sub(/(\*\*|\*|`)$/, "", inner)
  if (font == "B" && substr(text, RSTART, 1) == "`") gsub(/\*/, "\001", inner)  # a star in code is no emphasis
  return substr(text, 1, RSTART - 1) "\\f" font inner "\\fR" substr(text, RSTART + RLENGTH)
}

function leave_example() {
  if (example) print ".EE\n.RE"
  example = 0
}

/^# / { printf ".TH KIST 1 \"\" \"kist %s\" \"User Commands\"\n", version; next }
/^## / { leave_example(); print ".SH \"" substr($0, 4) "\""; fresh = 1; next }
/^### / { leave_example(); print ".SS \"" inline(substr($0, 5)) "\""; fresh = 1; next }
/^    / { if (!example) { print ".PP\n.RS 4\n.EX"; example = 1 } print inline(substr($0, 5)); next }
/^- / { leave_example(); print ".TP 4\n\\(bu\n" inline(substr($0, 3)); next }
/^$/ { if (!example) blank = 1; next }
{
  leave_example()
  if (blank && !fresh) print ".PP"
  blank = 0; fresh = 0
  sub(/^  /, "")
  print inline($0)
}
END { leave_example() }
