using System.Globalization;
using System.Text;

namespace Llama2;

/// <summary>Reads the regular expressions that a constraint may hold: those that describe a set of texts, without looking around or back.</summary>
/// <remarks>
/// Literals; <c>.</c> (no line feed); classes with ranges and <c>^</c>; the escapes <c>\d \D \w \W \s \S</c>, <c>\t \n \r \f \v \0 \xHH \uHHHH
/// \u{H…}</c> and <c>\</c> before punctuation; groups <c>( )</c>, <c>(?: )</c>, <c>(?&lt;name&gt; )</c>; <c>|</c>; <c>* + ? {n} {n,} {n,m}</c>,
/// greedy or lazy, which is the same here; <c>^</c> and <c>$</c> at the very ends of an alternative that is in no group.
/// </remarks>
internal sealed class RegexParser
{
    private const string Anchor = "an anchor is allowed at the ends of an alternative that is in no group only";
    private const int MaxGroupDepth = 100;
    private const int MaxRepetitions = 10_000;

    private readonly string _pattern;
    private readonly RuneSet _dot;
    private readonly string? _location;
    private int _position;
    private int _depth;

    private RegexParser(string pattern, RuneSet dot, string? location) => (_pattern, _dot, _location) = (pattern, dot, location);

    private bool AtEnd => _position == _pattern.Length;

    private char Current => AtEnd ? '\0' : _pattern[_position];

    /// <param name="pattern">The expression.</param>
    /// <param name="dot">What a dot matches.</param>
    /// <param name="location">Where the expression stands, for errors; null to name the offset within it.</param>
    /// <exception cref="GenerationConstraintException">It is malformed or not supported; the message has the offset.</exception>
    public static IReadOnlyList<RegexAlternative> Parse(string pattern, RuneSet dot, string? location = null)
    {
        var parser = new RegexParser(pattern, dot, location);
        var alternatives = new List<RegexAlternative>();
        do
        {
            bool start = parser.Take('^');
            RegexNode node = parser.Sequence();
            bool end = parser.Take('$');
            alternatives.Add(new(start, node, end));
            if (end && !parser.AtEnd && parser.Current != '|')
            {
                throw parser.Error(Anchor, parser._position - 1);
            }
        }
        while (parser.Take('|'));
        return parser.AtEnd ? alternatives : throw parser.Error(parser.Current == ')' ? "a ')' closes no group" : Anchor);
    }

    private RegexNode Alternation()
    {
        var alternatives = new List<RegexNode>();
        do
        {
            alternatives.Add(Sequence());
        }
        while (Take('|'));
        return alternatives.Count == 1 ? alternatives[0] : new RegexNode.Alternation(alternatives);
    }

    private RegexNode Sequence()
    {
        var parts = new List<RegexNode>();
        while (!AtEnd && Current is not ('|' or ')' or '$' or '^'))
        {
            parts.Add(Repeated(Atom()));
        }

        return parts.Count == 1 ? parts[0] : new RegexNode.Sequence(parts);
    }

    private RegexNode Repeated(RegexNode part)
    {
        int start = _position;
        (int least, int? most) = (1, 1);
        if (Take('*'))
        {
            (least, most) = (0, null);
        }
        else if (Take('+'))
        {
            most = null;
        }
        else if (Take('?'))
        {
            least = 0;
        }
        else if (!TryBounds(out least, out most))
        {
            return part;
        }

        Take('?');                                       // lazy: the same texts
        if (Current is '*' or '+' or '?' or '{')
        {
            throw Error("a repetition follows a repetition");
        }

        if (least > MaxRepetitions || most > MaxRepetitions || most < least)
        {
            throw Error($"a repetition goes from n up to m, at most {MaxRepetitions}", start);
        }

        return new RegexNode.Repetition(part, least, most);
    }

    /// <summary>{n}, {n,} or {n,m}; a brace that begins nothing of these is an error further on.</summary>
    private bool TryBounds(out int least, out int? most)
    {
        (least, most) = (1, 1);
        if (Current != '{')
        {
            return false;
        }

        int start = _position++;
        int? first = Number(), last = first;
        if (Take(','))
        {
            last = Number();
        }

        if (first is null || !Take('}'))
        {
            throw Error("a '{' begins {n}, {n,} or {n,m}; as a character it is written \\{", start);
        }

        (least, most) = (first.Value, last);
        return true;
    }

    private int? Number()
    {
        int start = _position;
        while (char.IsAsciiDigit(Current))
        {
            _position++;
        }

        return start == _position ? null
            : int.TryParse(_pattern.AsSpan(start.._position), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : int.MaxValue;
    }

    private RegexNode Atom()
    {
        int start = _position;
        switch (Current)
        {
            case '.':
                _position++;
                return new RegexNode.Character(_dot);
            case '(':
                return Group();
            case '[':
                return new RegexNode.Character(Class());
            case '\\':
                return new RegexNode.Character(Escape(excluded: false, inClass: false));
            case '*' or '+' or '?' or '{':
                throw Error("a repetition needs something before it");
            default:
                return new RegexNode.Character(RuneSet.Of(Literal(start)));
        }
    }

    private RegexNode Group()
    {
        int start = _position++;
        if (Take('?') && !Take(':'))
        {
            int nameStart = _position + 1;
            bool named = Take('<') && (char.IsAsciiLetter(Current) || Current == '_');
            while (named && (char.IsAsciiLetterOrDigit(Current) || Current == '_'))
            {
                _position++;
            }

            if (!named || _position == nameStart || !Take('>'))
            {
                throw Error("of the groups that begin with (? there are (?: ) and (?<name> ) only: nothing looks around, and no flag is set", start);
            }
        }

        if (++_depth > MaxGroupDepth)
        {
            throw Error($"groups nest deeper than {MaxGroupDepth}", start);
        }

        RegexNode group = Alternation();
        _depth--;
        if (!Take(')'))
        {
            throw AtEnd ? Error("the group is not closed", start) : Error(Anchor);
        }

        return group;
    }

    private RuneSet Class()
    {
        int start = _position++;
        bool excludes = Take('^');
        var set = new List<RuneSet>();
        while (Current != ']')
        {
            int itemStart = _position;
            RuneSet item = ClassItem(excludes, start);
            if (Current == '-' && _position + 1 < _pattern.Length && _pattern[_position + 1] != ']')
            {
                _position++;
                RuneSet last = ClassItem(excludes, start);
                if (!IsSingle(item, out int from) || !IsSingle(last, out int to) || from > to)
                {
                    throw Error("a range goes from one character up to another; as a character a '-' stands first, last or as \\-", itemStart);
                }

                item = new((from, to));
            }

            set.Add(item);
        }

        _position++;
        var union = new RuneSet(set.SelectMany(item => item.Ranges));
        return set.Count == 0 ? throw Error("the class is empty", start) : excludes ? union.Complement() : union;
    }

    private RuneSet ClassItem(bool excludes, int start) => Current switch
    {
        _ when AtEnd => throw Error("the class is not closed", start),
        '\\' => Escape(excludes, inClass: true),
        '[' => throw Error("a '[' in a class is written \\[: classes are neither nested nor subtracted"),
        _ => RuneSet.Of(Literal(_position)),
    };

    private static bool IsSingle(RuneSet set, out int rune)
    {
        rune = set.Ranges[0].First;
        return set.Ranges.Count == 1 && set.Ranges[0].Last == rune;
    }

    private RuneSet Escape(bool excluded, bool inClass)
    {
        int start = _position++;
        if (AtEnd)
        {
            throw Error("the escape is not complete", start);
        }

        char letter = _pattern[_position++];
        return RegexCharacters.Named(letter, excluded) ?? letter switch
        {
            't' => RuneSet.Of('\t'),
            'n' => RuneSet.Of('\n'),
            'r' => RuneSet.Of('\r'),
            'f' => RuneSet.Of('\f'),
            'v' => RuneSet.Of('\v'),
            '0' when !char.IsAsciiDigit(Current) => RuneSet.Of(0),
            'b' when inClass => RuneSet.Of('\b'),
            'x' => RuneSet.Of(Hex(2, start)),
            'u' when Take('{') => RuneSet.Of(HexInBraces(start)),
            'u' => RuneSet.Of(Hex(4, start)),
            < '\x80' when !char.IsAsciiLetterOrDigit(letter) => RuneSet.Of(letter),
            _ => throw Error($"the escape \\{letter} is not supported", start),
        };
    }

    private int Hex(int digits, int start)
    {
        int end = Math.Min(_position + digits, _pattern.Length);
        if (!int.TryParse(_pattern.AsSpan(_position..end), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) ||
            end - _position != digits || !Rune.IsValid(value))
        {
            throw Error($"the escape needs {digits} hexadecimal digits that are a character", start);
        }

        _position = end;
        return value;
    }

    private int HexInBraces(int start)
    {
        int end = _pattern.IndexOf('}', _position);
        int digits = end - _position;
        if (digits is < 1 or > 6)
        {
            throw Error("the escape needs up to six hexadecimal digits and a '}'", start);
        }

        int value = Hex(digits, start);
        _position++;
        return value;
    }

    private int Literal(int start)
    {
        if (!Rune.TryGetRuneAt(_pattern, start, out Rune rune))
        {
            throw Error("half of a surrogate pair is no character", start);
        }

        _position += rune.Utf16SequenceLength;
        return rune.Value;
    }

    private bool Take(char expected)
    {
        bool found = !AtEnd && Current == expected;
        _position += found ? 1 : 0;
        return found;
    }

    private GenerationConstraintException Error(string problem, int? position = null)
    {
        string offset = (position ?? _position).ToString(CultureInfo.InvariantCulture);
        return new($"{(_location is null ? "The regular expression" : $"The regular expression at {_location}")}, offset {offset}: {problem}.", _location ?? offset);
    }
}
