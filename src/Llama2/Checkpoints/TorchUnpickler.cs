using System.Buffers.Binary;
using System.Text;

namespace Llama2;

/// <summary>A storage that a pickle names: a run of numbers that lies elsewhere in the archive.</summary>
/// <param name="Type">The class, such as <c>BFloat16Storage</c>.</param>
/// <param name="Key">The name of its entry.</param>
/// <param name="Count">How many numbers it has.</param>
internal sealed record TorchStorage(string Type, string Key, long Count);

/// <summary>A view of a storage. Offset and strides count numbers, not bytes.</summary>
internal sealed record TorchTensor(TorchStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>
/// Reads the pickle of a state dictionary. It runs nothing: it builds dictionaries, lists, tuples, texts, numbers, storages and tensors,
/// and refuses every other name and operation. What it may build is bounded, whatever the pickle asks for.
/// </summary>
internal ref struct TorchUnpickler
{
    private const int MaxBytes = 4 << 20;
    private const int MaxValues = 1 << 18;                      // a 70B model needs about 20 000
    private const int MaxTextBytes = 4096;
    private const int MaxDimensions = 8;

    private static readonly object _mark = new();
    private static readonly object _rebuildTensor = new();
    private static readonly object _orderedDictionary = new();

    private readonly string _file;
    private readonly ReadOnlySpan<byte> _pickle;
    private readonly List<object?> _stack = [];
    private readonly Dictionary<int, object?> _memo = [];
    private int _position;
    private int _values;

    private TorchUnpickler(string file, ReadOnlySpan<byte> pickle)
    {
        _file = file;
        _pickle = pickle;
    }

    private sealed record StorageType(string Name);

    /// <summary>Reads the tensors of a state dictionary by name; what else it holds is passed over.</summary>
    /// <param name="file">The file, for messages.</param>
    /// <param name="pickle">The bytes of <c>data.pkl</c>.</param>
    public static IReadOnlyDictionary<string, TorchTensor> Read(string file, ReadOnlySpan<byte> pickle)
    {
        if (pickle.Length > MaxBytes)
        {
            throw new CheckpointException(file, "data.pkl", $"{pickle.Length:N0} bytes", $"at most {MaxBytes:N0}");
        }

        var unpickler = new TorchUnpickler(file, pickle);
        if (unpickler.Run() is not Dictionary<object, object?> root)
        {
            throw unpickler.Error("another value", "a dictionary of tensors");
        }

        return root.Where(entry => entry.Key is string && entry.Value is TorchTensor)
            .ToDictionary(entry => (string)entry.Key, entry => (TorchTensor)entry.Value!);
    }

    private object? Run()
    {
        while (true)
        {
            byte operation = Take(1)[0];
            switch ((char)operation)
            {
                case '.':
                    return Pop();
                case '\x80':
                    Take(1);                                        // the protocol's number: its operations tell
                    break;
                case '\x95':
                    Take(8);                                        // a frame's length matters only to streams
                    break;
                case '(':
                    Push(_mark);
                    break;
                case 'N':
                    Push(null);
                    break;
                case '\x88' or '\x89':
                    Push(operation == 0x88);
                    break;
                case 'K':
                    Push((long)Take(1)[0]);
                    break;
                case 'M':
                    Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)));
                    break;
                case 'J':
                    Push((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                    break;
                case '\x8a':
                    Push(LongInteger());
                    break;
                case 'G':
                    Push(BinaryPrimitives.ReadDoubleBigEndian(Take(8)));
                    break;
                case 'X':
                    Push(Text(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))));
                    break;
                case '\x8c':
                    Push(Text(Take(1)[0]));
                    break;
                case 'c':
                    Push(Global(Line(), Line()));
                    break;
                case '\x93':
                    (object? name, object? module) = (Pop(), Pop());
                    Push(module is string place && name is string thing ? Global(place, thing) : throw Error("another value", "a module and a name"));
                    break;
                case ')':
                    Push(Array.Empty<object?>());
                    break;
                case '\x85' or '\x86' or '\x87':
                    Push(PopLast(operation - 0x84));
                    break;
                case 't':
                    Push(PopToMark());
                    break;
                case ']':
                    Push(new List<object?>());
                    break;
                case 'a':
                    Append(PopLast(1));
                    break;
                case 'e':
                    Append(PopToMark());
                    break;
                case '}':
                    Push(new Dictionary<object, object?>());
                    break;
                case 's':
                    SetItems(PopLast(2));
                    break;
                case 'u':
                    SetItems(PopToMark());
                    break;
                case 'q':
                    Remember(Take(1)[0]);
                    break;
                case 'r':
                    Remember(BinaryPrimitives.ReadInt32LittleEndian(Take(4)));
                    break;
                case '\x94':
                    Remember(_memo.Count);
                    break;
                case 'h':
                    Push(Recall(Take(1)[0]));
                    break;
                case 'j':
                    Push(Recall(BinaryPrimitives.ReadInt32LittleEndian(Take(4))));
                    break;
                case 'Q':
                    Push(Storage(Pop()));
                    break;
                case 'R':
                    object? arguments = Pop();
                    Push(Call(Pop(), arguments as object?[] ?? throw Error("another value", "a tuple of arguments")));
                    break;
                case 'b':
                    Pop();                                          // attributes, such as a state dictionary's _metadata, are of no use here
                    if (Peek() is not Dictionary<object, object?>)
                    {
                        throw Error("attributes of another value", "those of a dictionary");
                    }

                    break;
                default:
                    throw Error($"operation 0x{operation:x2}", "an operation that builds plain values");
            }
        }
    }

    private readonly object Global(string module, string name) => (module, name) switch
    {
        ("torch._utils", "_rebuild_tensor_v2") => _rebuildTensor,
        ("collections", "OrderedDict") => _orderedDictionary,
        ("torch", "FloatStorage" or "HalfStorage" or "BFloat16Storage" or "DoubleStorage" or "LongStorage" or "IntStorage" or "ShortStorage"
            or "CharStorage" or "ByteStorage" or "BoolStorage" or "ComplexFloatStorage" or "ComplexDoubleStorage") => new StorageType(name),
        _ => throw Error($"the name '{module}.{name}'", "only tensors, storages and OrderedDict: nothing else is built, and nothing is run"),
    };

    private readonly object Call(object? function, object?[] arguments)
    {
        if (function == _orderedDictionary && arguments.Length == 0)
        {
            return new Dictionary<object, object?>();
        }

        // _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward_hooks, …)
        return function == _rebuildTensor
            && arguments is [TorchStorage storage, long offset and >= 0, object?[] shape, object?[] strides, ..] && shape.Length == strides.Length
            ? new TorchTensor(storage, offset, Numbers(shape), Numbers(strides))
            : throw Error("a call with other arguments", "_rebuild_tensor_v2 of a storage, or an empty OrderedDict");
    }

    private readonly TorchStorage Storage(object? id) => id is object?[] and ["storage", StorageType type, string key, string, long count and >= 0, ..]
        ? new(type.Name, key, count)
        : throw Error("another persistent id", "('storage', type, key, location, count)");

    private readonly long[] Numbers(object?[] values)
    {
        return values.Length <= MaxDimensions && values.All(value => value is long and >= 0)
            ? Array.ConvertAll(values, value => (long)value!)
            : throw Error("another shape", $"at most {MaxDimensions} whole numbers of at least 0");
    }

    private long LongInteger()
    {
        int length = Take(1)[0];
        if (length > 8)
        {
            throw Error($"an integer of {length} bytes", "at most 8");
        }

        ReadOnlySpan<byte> bytes = Take(length);
        long value = length > 0 && bytes[^1] >= 0x80 ? -1 : 0;      // two's complement, least byte first
        for (int i = length - 1; i >= 0; i--)
        {
            value = value << 8 | bytes[i];
        }

        return value;
    }

    private string Text(long length) =>
        length <= MaxTextBytes ? Encoding.UTF8.GetString(Take((int)length)) : throw Error($"a text of {length:N0} bytes", $"at most {MaxTextBytes:N0}");

    private string Line()
    {
        int length = _pickle[_position..].IndexOf((byte)'\n');
        if (length is < 0 or > MaxTextBytes)
        {
            throw Error("no end of a name", $"one within {MaxTextBytes:N0} bytes");
        }

        string text = Text(length);
        Take(1);
        return text;
    }

    private readonly void Append(object?[] values)
    {
        if (Peek() is not List<object?> list)
        {
            throw Error("another value", "a list to append to");
        }

        list.AddRange(values);
    }

    private readonly void SetItems(object?[] values)
    {
        if (Peek() is not Dictionary<object, object?> dictionary || values.Length % 2 != 0)
        {
            throw Error("another value", "a dictionary and pairs to put in it");
        }

        for (int i = 0; i < values.Length; i += 2)
        {
            object key = values[i] is string or long ? values[i]! : throw Error("a key of another kind", "a text or a whole number");
            if (!dictionary.TryAdd(key, values[i + 1]))
            {
                throw Error($"'{key}' twice", "it once");
            }
        }
    }

    private readonly void Remember(int index)
    {
        if (index < 0 || _memo.Count >= MaxValues)
        {
            throw Error($"memo {index:N0}", $"at most {MaxValues:N0} of them");
        }

        _memo[index] = Peek();
    }

    private readonly object? Recall(int index) => _memo.TryGetValue(index, out object? value) ? value : throw Error($"memo {index:N0}", "one that was set");

    private void Push(object? value)
    {
        if (++_values > MaxValues)
        {
            throw Error("more values", $"at most {MaxValues:N0}");
        }

        _stack.Add(value);
    }

    private readonly object? Peek() => _stack.Count > 0 && _stack[^1] != _mark ? _stack[^1] : throw Error("an empty stack", "a value");

    private readonly object? Pop()
    {
        object? value = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private readonly object?[] PopLast(int count)
    {
        object?[] values = new object?[count];
        for (int i = count - 1; i >= 0; i--)
        {
            values[i] = Pop();
        }

        return values;
    }

    private readonly object?[] PopToMark()
    {
        int mark = _stack.LastIndexOf(_mark);
        if (mark < 0)
        {
            throw Error("no mark", "one on the stack");
        }

        object?[] values = [.. _stack[(mark + 1)..]];
        _stack.RemoveRange(mark, _stack.Count - mark);
        return values;
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > _pickle.Length - _position)
        {
            throw Error("the end", $"{count:N0} bytes more");
        }

        ReadOnlySpan<byte> bytes = _pickle.Slice(_position, count);
        _position += count;
        return bytes;
    }

    private readonly CheckpointException Error(string found, string expected) => new(_file, $"data.pkl, byte {_position:N0}", found, expected);
}
