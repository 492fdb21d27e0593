using System.Text;

namespace Llama2;

/// <summary>Writes the parts of JSON texts into a grammar.</summary>
/// <remarks>
/// One form of white space: at most one space after a colon and after a comma, none elsewhere. Numbers have at most <see cref="WholeDigits"/> digits
/// before and <see cref="FractionDigits"/> after the point, and no exponent, so that every reader keeps them exactly.
/// </remarks>
internal sealed class JsonGrammar
{
    public const int WholeDigits = 15;
    public const int FractionDigits = 12;

    private const int MaxOtherName = 1000;

    // In a string, these are escaped; everything else stands for itself.
    private static readonly RuneSet _escaped = new((0, 0x1F), ('"', '"'), ('\\', '\\'));
    private static readonly RuneSet _plain = _escaped.Complement();
    private static readonly (char Rune, char Letter)[] _shortEscapes =
        [('"', '"'), ('\\', '\\'), ('\b', 'b'), ('\f', 'f'), ('\n', 'n'), ('\r', 'r'), ('\t', 't')];

    private static readonly Int128 _mostWhole = 999_999_999_999_999;
    private static readonly Int128 _longest = 999_999_999_999_999_999;
    private static readonly Int128 _mostNumber = (_mostWhole * 1_000_000_000_000) + 999_999_999_999;

    private readonly GrammarBuilder _builder;
    private readonly Dictionary<(RuneSet, int), int> _spelled = [];
    private readonly Dictionary<RuneSet, RuneSet> _plainPart = [];
    private int? _character;
    private int? _string;
    private int? _number;
    private int? _integer;
    private int? _value;
    private int? _object;
    private int? _array;

    public JsonGrammar(GrammarBuilder builder) => _builder = builder;

    /// <summary>The texts that stand in a string: no quotes, no escapes.</summary>
    public int Quoted(Func<int, int> content, int next) => Byte('"', content(Byte('"', next)));

    /// <summary>Any string.</summary>
    public int String(int next) => Shared(ref _string, end => Quoted(rest => _builder.Repeat(Character, 0, null, rest), end), next);

    /// <summary>A string of so many characters; an escape is one.</summary>
    public int String(int least, int? most, int next) => Quoted(rest => _builder.Repeat(CharacterCall, least, most, rest), next);

    /// <summary>A string that matches a regular expression somewhere, or wholly where it is anchored.</summary>
    public int String(IReadOnlyList<RegexAlternative> pattern, int next) => Quoted(rest => _builder.Any(
    [
        .. pattern.Select(alternative =>
        {
            int after = alternative.IsAnchoredAtEnd ? rest : _builder.Repeat(Character, 0, null, rest);
            int node = alternative.Node.Emit(_builder, Spell, after);
            return alternative.IsAnchoredAtStart ? node : _builder.Repeat(Character, 0, null, node);
        }),
    ]), next);

    /// <summary>The key of a member, its colon, and the space that may follow.</summary>
    public int Key(string name, int value) => _builder.Text(JsonText.Quote(name), Byte(':', Space(value)));

    /// <summary>A key without escapes that is none of these.</summary>
    /// <exception cref="GenerationConstraintException">A name is very long.</exception>
    public int OtherKey(IReadOnlyCollection<string> names, int value)
    {
        if (names.FirstOrDefault(name => name.Length > MaxOtherName) is { } longest)
        {
            throw new GenerationConstraintException(
                $"Beside additionalProperties, names have at most {MaxOtherName} characters, but one has {longest.Length}.", location: null);
        }

        int end = Byte(':', Space(value));
        int free = _builder.Repeat(node => _builder.Runes(_plain, node), 0, null, Byte('"', end));
        return Byte('"', Differing([.. names.Select(name => name.EnumerateRunes().ToArray()).Where(name => name.All(rune => _plain.Contains(rune.Value)))], depth: 0));

        // The names agree in the characters so far; what follows may leave them, or go on with some but not end where one does.
        int Differing(Rune[][] agreeing, int depth)
        {
            var ways = new List<int>();
            var groups = agreeing.Where(name => name.Length > depth).GroupBy(name => name[depth]).ToList();
            foreach (IGrouping<Rune, Rune[]> group in groups)
            {
                ways.Add(_builder.Runes(RuneSet.Of(group.Key.Value), Differing([.. group], depth + 1)));
            }

            ways.Add(_builder.Runes(_plain.Except(RuneSet.Of(groups.Select(group => group.Key.Value))), free));
            if (agreeing.All(name => name.Length != depth))
            {
                ways.Add(Byte('"', end));
            }

            return _builder.Any([.. ways]);
        }
    }

    /// <summary>A comma and the space that may follow.</summary>
    public int Comma(int next) => Byte(',', Space(next));

    public int Byte(char value, int next) => _builder.Bytes((byte)value, (byte)value, next);

    public int Literal(string text, int next) => _builder.Text(text, next);

    /// <summary>Any whole number.</summary>
    public int Integer(int next) => Shared(ref _integer, end => Integer(null, null, end), next);

    /// <summary>A whole number between bounds; what is not bounded has at most <see cref="WholeDigits"/> digits.</summary>
    public int Integer(Int128? low, Int128? high, int next)
    {
        Int128 least = low ?? (high < -_mostWhole ? -_longest : -_mostWhole), most = high ?? (low > _mostWhole ? _longest : _mostWhole);
        return new NumberGrammar(_builder, 0, next).Between(least, most);
    }

    /// <summary>Any number.</summary>
    public int Number(int next) => Shared(ref _number, end => Number(null, null, end), next);

    /// <summary>A number between bounds, which count in units of 10⁻ⁿ with n = <see cref="FractionDigits"/>.</summary>
    public int Number(Int128? low, Int128? high, int next) =>
        new NumberGrammar(_builder, FractionDigits, next).Between(Int128.Max(low ?? -_mostNumber, -_mostNumber), Int128.Min(high ?? _mostNumber, _mostNumber));

    /// <summary>Any JSON value.</summary>
    public int Value(int next) => Shared(
        ref _value,
        end => _builder.Any(String(end), Number(end), Literal("true", end), Literal("false", end), Literal("null", end), Object(end), Array(end)),
        next);

    /// <summary>Any JSON object.</summary>
    public int Object(int next) => Shared(ref _object, end => Byte('{', List('}', Member, end)), next);

    /// <summary>Any JSON array.</summary>
    public int Array(int next) => Shared(ref _array, end => Byte('[', List(']', Value, end)), next);

    /// <summary>Items with commas between them and the bracket that closes; also none.</summary>
    public int List(char close, Func<int, int> item, int next)
    {
        int end = Byte(close, next);
        int more = _builder.Reserve();
        _builder.Define(more, end, Comma(item(more)));
        return _builder.Any(end, item(more));
    }

    /// <summary>A character of a set as it stands in a string, without escapes that need not be.</summary>
    public int Spell(RuneSet set, int next)
    {
        if (_spelled.TryGetValue((set, next), out int node))
        {
            return node;
        }

        if (!_plainPart.TryGetValue(set, out RuneSet? plain))
        {
            _plainPart.Add(set, plain = set.Except(_escaped));
        }

        var ways = new List<int>();
        if (!plain.IsEmpty)
        {
            ways.Add(_builder.Runes(plain, next));
        }

        foreach (int rune in Enumerable.Range(0, '\\' + 1).Where(rune => _escaped.Contains(rune) && set.Contains(rune)))
        {
            ways.Add(_builder.Text(JsonText.Escape((char)rune), next));
        }

        node = _builder.Any([.. ways]);
        _spelled.Add((set, next), node);
        return node;
    }

    private int Member(int next) => String(Byte(':', Space(Value(next))));

    private int Space(int next) => _builder.Any(next, Byte(' ', next));

    private int CharacterCall(int next) => Shared(ref _character, Character, next);

    /// <summary>Any character of a string, as itself or as an escape. The halves of surrogate pairs cannot be escaped: one alone would be no text.</summary>
    private int Character(int next)
    {
        int hex1 = Hex(next), hex2 = Hex(hex1), hex3 = Hex(hex2);
        int afterD = _builder.Bytes((byte)'0', (byte)'7', hex2);
        int code = _builder.Any(
            _builder.Bytes([new((byte)'0', (byte)'9', hex3), new((byte)'a', (byte)'c', hex3), new((byte)'e', (byte)'f', hex3)]),
            _builder.Bytes([new((byte)'A', (byte)'C', hex3), new((byte)'E', (byte)'F', hex3)]),
            _builder.Bytes([new((byte)'d', (byte)'d', afterD), new((byte)'D', (byte)'D', afterD)]));
        GrammarEdge[] letters = [.. _shortEscapes.Select(escape => new GrammarEdge((byte)escape.Letter, (byte)escape.Letter, next)), new((byte)'/', (byte)'/', next), new((byte)'u', (byte)'u', code)];
        return _builder.Any(_builder.Runes(_plain, next), Byte('\\', _builder.Bytes(letters)));

        int Hex(int rest) => _builder.Bytes([new((byte)'0', (byte)'9', rest), new((byte)'a', (byte)'f', rest), new((byte)'A', (byte)'F', rest)]);
    }

    /// <summary>A rule that is written once; known before it is written, so that it may lead back to itself.</summary>
    private int Shared(ref int? rule, Func<int, int> define, int next)
    {
        if (rule is null)
        {
            rule = _builder.DeclareRule();
            _builder.DefineRule(rule.Value, define(Grammar.End));
        }

        return _builder.Call(rule.Value, next);
    }
}
