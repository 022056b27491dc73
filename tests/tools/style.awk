# The rules of check_style.sh for C files. Text within comments and strings is blanked
# before code rules are applied, so a banned word in a message is no finding.

BEGIN {
    n = split("strcpy strcat sprintf vsprintf strtok gets atoi atof rand srand " \
              "localtime gmtime ctime alloca setjmp usleep system", words, " ")
    for (i = 1; i <= n; i++)
        banned[words[i]] = 1
    function_max = 70
    file_max = 800
    file_ask = 600
}

function complain(text) {
    print FILENAME ":" FNR ": " text
    bad = 1
}

# Blank comments, strings and character constants of a line; state goes over lines in
# in_comment. Sets line_comment when a // comment begins here.
function code_of(line,    out, i, c, two) {
    out = ""
    line_comment = 0
    i = 1
    while (i <= length(line)) {
        c = substr(line, i, 1)
        two = substr(line, i, 2)
        if (in_comment) {
            if (two == "*/") {
                in_comment = 0
                i++
            }
            i++
            continue
        }
        if (two == "/*") {
            in_comment = 1
            i += 2
            continue
        }
        if (two == "//") {
            line_comment = 1
            break
        }
        if (c == "\"" || c == "'") {
            out = out c
            for (i++; i <= length(line) && substr(line, i, 1) != c; i++)
                if (substr(line, i, 1) == "\\")
                    i++
            out = out c
            i++
            continue
        }
        out = out c
        i++
    }
    return out
}

# The last line of a declaration has been read.
function end_declaration() {
    if (!explained && !lifetime && $0 !~ /;[ \t]*\/\*/) {
        print FILENAME ":" open_declaration ": function without a contract above it"
        bad = 1
    }
    open_declaration = 0
    explained = 1
}

function end_of_file() {
    if (last_file == "")
        return
    if (last_lines > file_max) {
        print last_file ":" last_lines ": file has " last_lines " lines; at most " file_max
        bad = 1
    } else if (last_lines > file_ask) {
        print last_file ":" last_lines ": remark: over " file_ask " lines; could it be two?"
    }
}

FNR == 1 {
    end_of_file()
    last_file = FILENAME
    in_comment = 0
    body = 0
    header = FILENAME ~ /\.h$/
    ours = FILENAME ~ /(^|\/)src\//
    app = FILENAME ~ /(^|\/)src\/app\//
    asserts = FILENAME ~ /src\/base\/log\.c$/ # eddy_assert_failed aborts
    product = ours || FILENAME ~ /(^|\/)include\//
    explained = 0 # the present paragraph has a comment
    in_struct = 0
    open_declaration = 0
    if (header && ours) {
        split(FILENAME, parts, "/")
        for (i in parts)
            if (parts[i] == "src")
                want_layer = parts[i + 1]
        if (index($0, "/* Layer: " want_layer ".") != 1)
            complain("a header begins with \"/* Layer: " want_layer ".\"")
    }
}

{
    last_lines = FNR
    was_comment = in_comment
    code = code_of($0)
    if (line_comment)
        complain("// comment (they mark leftovers of debugging; use /* */)")
    if ($0 ~ /(TODO|FIXME)/)
        complain("unfinished business is an issue, not a comment")

    # Banned functions: a call, or the name taken.
    rest = code
    while (match(rest, /[A-Za-z_][A-Za-z_0-9]*[ ]*\(/)) {
        before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : " "
        name = substr(rest, RSTART, RLENGTH - 1)
        sub(/ +$/, "", name)
        if (before != "." && before != ">") {
            if (name in banned)
                complain(name "() is banned")
            if (ours && !app && !asserts && (name == "exit" || name == "_exit" || name == "abort"))
                complain(name "() outside src/app: return an error")
        }
        rest = substr(rest, RSTART + RLENGTH)
    }

    # Length of functions: Linux braces, so bodies stand between "{" and "}" in column 1.
    if (code ~ /^\{/) {
        body = FNR
    } else if (code ~ /^\}/ && body) {
        if (product && FNR - body - 1 > function_max)
            complain("function of " (FNR - body - 1) " lines; at most " function_max)
        body = 0
    }

    # Contracts: a function declared in a header has a comment above it (or above the
    # paragraph that it stands in), or behind it on its line. The conventional verbs of
    # lifetime say by their name what they do.
    if (header && product) {
        if (open_declaration) {
            if (code ~ /[;{][ \t]*$/)
                end_declaration()
        } else if (in_struct) {
            in_struct = code !~ /^\}/
        } else if ($0 ~ /^[ \t]*$/ && !was_comment) {
            explained = 0
        } else if (code ~ /^[ \t]*$/) {
            explained = 1
        } else if (code ~ /^(struct|enum|union)[^(]*\{[ \t]*$/) {
            in_struct = 1
        } else if (code ~ /^(struct|enum|union) [a-z_0-9]*;/ && $0 ~ /\/\*/) {
            explained = 1
        } else if (code ~ /^[a-z_].*[A-Za-z_0-9]\(/ && code !~ /^(typedef|static)/ &&
                   code !~ /\{/) {
            lifetime = code ~ /_(init|fini|free|close|reset|clear)\(/
            open_declaration = FNR
            if (code ~ /;[ \t]*$/)
                end_declaration()
        }
    }
}

END {
    end_of_file()
    exit bad
}
