namespace Llama2;

/// <summary>Writes decimal numbers between two bounds into a grammar: no exponent, no leading zeros, no negative zero.</summary>
/// <remarks>Bounds and numbers are counted in units of 10⁻ⁿ with n the most digits after the point.</remarks>
internal sealed class NumberGrammar(GrammarBuilder builder, int fractionDigits, int next)
{
    private readonly Dictionary<(string Low, string High, int Place, bool OnLow, bool OnHigh), int> _nodes = [];

    /// <summary>All numbers from <paramref name="low"/> to <paramref name="high"/>; where there is none, a dead end.</summary>
    public int Between(Int128 low, Int128 high)
    {
        var starts = new List<int>();
        if (high >= 0)
        {
            AddMagnitudes(starts, Int128.Max(low, 0), high);
        }

        if (low < 0)
        {
            var negative = new List<int>();
            AddMagnitudes(negative, Int128.Max(-high, 1), -low);
            starts.Add(builder.Bytes((byte)'-', (byte)'-', builder.Any([.. negative])));
        }

        return builder.Any([.. starts]);
    }

    /// <summary>Takes the numbers of each count of digits for themselves, since among those the order is that of the digits.</summary>
    private void AddMagnitudes(List<int> starts, Int128 low, Int128 high)
    {
        Int128 unit = Power(fractionDigits);
        for (int digits = 1; digits <= 20; digits++)
        {
            Int128 first = Int128.Max(low, digits == 1 ? 0 : Power(digits - 1 + fractionDigits));
            Int128 last = Int128.Min(high, Power(digits + fractionDigits) - 1);
            if (first <= last)
            {
                starts.Add(Digit(Pad(first), Pad(last), place: 0, onLow: true, onHigh: true));
            }

            string Pad(Int128 value) => value.ToString(System.Globalization.CultureInfo.InvariantCulture).PadLeft(digits + fractionDigits, '0');
        }
    }

    /// <summary>A digit at a place, where the digits so far are those of a bound or lie strictly between.</summary>
    private int Digit(string low, string high, int place, bool onLow, bool onHigh)
    {
        if (_nodes.TryGetValue((low, high, place, onLow, onHigh), out int node))
        {
            return node;
        }

        char first = onLow ? low[place] : '0', last = onHigh ? high[place] : '9';
        var edges = new List<GrammarEdge>();
        for (char digit = first; digit <= last; digit++)
        {
            int rest = After(low, high, place + 1, onLow && digit == first, onHigh && digit == last);
            if (edges.Count > 0 && edges[^1].Target == rest)
            {
                edges[^1] = edges[^1] with { Last = (byte)digit };
            }
            else
            {
                edges.Add(new((byte)digit, (byte)digit, rest));
            }
        }

        node = builder.Bytes([.. edges]);
        _nodes.Add((low, high, place, onLow, onHigh), node);
        return node;
    }

    /// <summary>What may follow the digits before a place: the end, where zeros would not be too little; the point; more digits.</summary>
    private int After(string low, string high, int place, bool onLow, bool onHigh)
    {
        int whole = low.Length - fractionDigits;
        if (place < whole)
        {
            return Digit(low, high, place, onLow, onHigh);
        }

        if (_nodes.TryGetValue((low, high, -place, onLow, onHigh), out int node))
        {
            return node;
        }

        var ways = new List<int>();
        if (!onLow || low.AsSpan(place).TrimStart('0').IsEmpty)
        {
            ways.Add(next);
        }

        if (place < low.Length)
        {
            int more = Digit(low, high, place, onLow, onHigh);
            ways.Add(place == whole ? builder.Bytes((byte)'.', (byte)'.', more) : more);
        }

        node = builder.Any([.. ways]);
        _nodes.Add((low, high, -place, onLow, onHigh), node);
        return node;
    }

    private static Int128 Power(int exponent)
    {
        Int128 power = 1;
        for (int i = 0; i < exponent; i++)
        {
            power *= 10;
        }

        return power;
    }
}
