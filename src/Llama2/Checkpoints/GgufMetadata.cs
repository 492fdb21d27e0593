namespace Llama2;

/// <summary>The keys of a GGUF file and where their values lie; a value is read when it is asked for. Thread-safe.</summary>
internal sealed class GgufMetadata
{
    private const int MostKeyBytes = 65_535;                                               // the format's own limit
    private const int MostTextBytes = 4 << 20;
    private readonly MappedFile _file;
    private readonly Dictionary<string, (GgufType Type, long Offset)> _values = [];

    /// <summary>Reads <paramref name="count"/> keys and passes over their values.</summary>
    public GgufMetadata(MappedFile file, GgufCursor cursor, long count)
    {
        _file = file;
        for (long i = 0; i < count; i++)
        {
            string key = cursor.Text(MostKeyBytes, $"key {i} of {count}");
            GgufType type = cursor.Type(key);
            if (!_values.TryAdd(key, (type, cursor.Position)))
            {
                throw Fault(key, "the key twice", "each key once");
            }

            cursor.Skip(type, key);
        }
    }

    /// <summary>The path of the file, for messages.</summary>
    public string File => _file.Path;

    public bool Contains(string key) => _values.ContainsKey(key);

    /// <summary>An integer of any width from 0 to the most of an <see cref="int"/>; null where the key is missing.</summary>
    public int? Int32(string key) => Read<int?>(key, (cursor, type) => ReadInt32(cursor, type, key));

    public int RequiredInt32(string key) => Int32(key) ?? throw Missing(key);

    /// <summary>A number, whole or not, as single precision; null where the key is missing.</summary>
    public float? Single(string key) => Read<float?>(key, (cursor, type) =>
        (float?)cursor.Real(type, key) ?? (float?)cursor.Integer(type, key) ?? throw Fault(key, $"a value of type {type}", "a number"));

    public float RequiredSingle(string key) => Single(key) ?? throw Missing(key);

    public string? Text(string key) => Read(key, (cursor, type) =>
        type == GgufType.String ? cursor.Text(MostTextBytes, key) : throw Fault(key, $"a value of type {type}", "a string"));

    public bool? Flag(string key) => Read<bool?>(key, (cursor, type) =>
        type == GgufType.Bool ? cursor.Integer(GgufType.UInt8, key) != 0 : throw Fault(key, $"a value of type {type}", "true or false"));

    /// <summary>An integer that the file gives once, or once per layer: then all must be the same.</summary>
    public int? Uniform(string key, int layers) => Read<int?>(key, (cursor, type) =>
    {
        if (type != GgufType.Array)
        {
            return ReadInt32(cursor, type, key);
        }

        GgufType element = cursor.Type(key);
        ulong count = cursor.UInt64(key);
        if (count != (ulong)layers || layers == 0)
        {
            throw Fault(key, $"{count} values", $"one, or one for each of {layers} layers");
        }

        int first = ReadInt32(cursor, element, key);
        for (int layer = 1; layer < layers; layer++)
        {
            int value = ReadInt32(cursor, element, key);
            if (value != first)
            {
                throw Fault(key, $"{value} in layer {layer} after {first}", "the same value in every layer");
            }
        }

        return first;
    });

    /// <summary>The number of elements of an array, at most that of an <see cref="int"/>; null where the key is missing.</summary>
    public int? ArrayLength(string key) => Read<int?>(key, (cursor, type) => (int)Math.Min(int.MaxValue, Elements(cursor, type, key).Count));

    public string[] RequiredTexts(string key, int count) => Required(key, count, (cursor, type) =>
        type == GgufType.String ? cursor.Text(MostKeyBytes, key) : throw Fault(key, $"elements of type {type}", "strings"));

    public float[] RequiredSingles(string key, int count) => Required(key, count, (cursor, type) =>
        (float)(cursor.Real(type, key) ?? throw Fault(key, $"elements of type {type}", "floating-point numbers")));

    public int[] RequiredInt32s(string key, int count) => Required(key, count, (cursor, type) => ReadInt32(cursor, type, key));

    public CheckpointException Fault(string key, string found, string expected) => new(_file.Path, key, found, expected);

    private CheckpointException Missing(string key) => Fault(key, "nothing", "the key");

    private T? Read<T>(string key, Func<GgufCursor, GgufType, T> read) =>
        _values.TryGetValue(key, out (GgufType Type, long Offset) value) ? read(new GgufCursor(_file, value.Offset), value.Type) : default;

    private int ReadInt32(GgufCursor cursor, GgufType type, string key)
    {
        decimal value = cursor.Integer(type, key) ?? throw Fault(key, $"a value of type {type}", "an integer");
        return value is >= 0 and <= int.MaxValue ? (int)value : throw Fault(key, $"{value}", $"a number from 0 to {int.MaxValue}");
    }

    private T[] Required<T>(string key, int count, Func<GgufCursor, GgufType, T> read) => Read(key, (cursor, type) =>
    {
        (GgufType element, long found) = Elements(cursor, type, key);
        if (found != count)
        {
            throw Fault(key, $"{found:N0} elements", $"{count:N0}");
        }

        var values = new T[count];
        foreach (ref T value in values.AsSpan())
        {
            value = read(cursor, element);
        }

        return values;
    }) ?? throw Missing(key);

    private (GgufType Element, long Count) Elements(GgufCursor cursor, GgufType type, string key) =>
        type == GgufType.Array ? (cursor.Type(key), cursor.Count(1, key)) : throw Fault(key, $"a value of type {type}", "an array");
}
