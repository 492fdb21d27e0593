using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Unicode;

namespace Llama2;

/// <summary>Reads the fields of one protobuf message; every length is checked against the bytes that are there.</summary>
internal ref struct ProtobufReader(string file, string message, ReadOnlySpan<byte> bytes)
{
    private const int Varint = 0;
    private const int Fixed64 = 1;
    private const int LengthDelimited = 2;
    private const int Fixed32 = 5;

    private ReadOnlySpan<byte> _rest = bytes;
    private int _wireType;

    /// <summary>The number of the field that the next read method reads.</summary>
    public int Field { get; private set; }

    /// <summary>Goes to the next field.</summary>
    /// <returns>False at the end of the message.</returns>
    public bool Next()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        Field = 0;
        ulong tag = ReadVarint();
        _wireType = (int)(tag & 7);
        Field = tag >> 3 is > 0 and < 1 << 29 ? (int)(tag >> 3) : throw Error($"field number {tag >> 3}", "a number from 1 to 536870911");
        return true;
    }

    public int ReadInt32()
    {
        Expect(Varint);
        return unchecked((int)ReadVarint());                 // a negative one is written with 64 bits
    }

    public bool ReadBoolean()
    {
        Expect(Varint);
        return ReadVarint() != 0;
    }

    public float ReadSingle()
    {
        Expect(Fixed32);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(sizeof(float)));
    }

    public ReadOnlySpan<byte> ReadBytes()
    {
        Expect(LengthDelimited);
        return Take(ReadVarint());
    }

    public string ReadString()
    {
        ReadOnlySpan<byte> utf8 = ReadBytes();
        return Utf8.IsValid(utf8) ? Encoding.UTF8.GetString(utf8) : throw Error($"bytes {Convert.ToHexString(utf8[..Math.Min(utf8.Length, 16)])}", "UTF-8");
    }

    public void Skip()
    {
        switch (_wireType)
        {
            case Varint:
                ReadVarint();
                break;
            case Fixed64:
                Take(sizeof(ulong));
                break;
            case LengthDelimited:
                Take(ReadVarint());
                break;
            case Fixed32:
                Take(sizeof(uint));
                break;
            default:
                throw Error($"wire type {_wireType}", "0, 1, 2 or 5");
        }
    }

    private readonly void Expect(int wireType)
    {
        if (_wireType != wireType)
        {
            throw Error($"wire type {_wireType}", wireType.ToString(CultureInfo.InvariantCulture));
        }
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int index = 0; index < 10 && index < _rest.Length; index++)
        {
            value |= (ulong)(_rest[index] & 0x7F) << (7 * index);
            if (_rest[index] < 0x80)
            {
                _rest = _rest[(index + 1)..];
                return value;
            }
        }

        throw Error(_rest.Length < 10 ? "the end of the data" : "more than 10 bytes", "a whole number of at most 10 bytes");
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length)
        {
            throw Error($"{length} bytes wanted, {_rest.Length} left", "a length within the message");
        }

        ReadOnlySpan<byte> taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }

    private readonly CheckpointException Error(string found, string expected) =>
        new(file, Field == 0 ? $"{message}, tag" : string.Create(CultureInfo.InvariantCulture, $"{message}, field {Field}"), found, expected);
}
