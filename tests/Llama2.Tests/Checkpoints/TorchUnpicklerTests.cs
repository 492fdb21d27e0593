namespace Llama2.Tests;

public class TorchUnpicklerTests
{
    [Fact]
    public void Read_Tensor_HasStorageShapeAndStrides()
    {
        byte[] pickle = new PickleBuilder().Op(0x80, 2).Op('}').Text("w").Tensor("HalfStorage", "7", 100, 4, [3, 5]).Op('s').Stop();
        TorchTensor tensor = Assert.Single(TorchUnpickler.Read("f", pickle)).Value;
        Assert.Equal((new TorchStorage("HalfStorage", "7", 100), 4L), (tensor.Storage, tensor.Offset));
        Assert.Equal([3L, 5], tensor.Shape);
        Assert.Equal([5L, 1], tensor.Strides);
    }

    [Fact]
    public void Read_EveryOperation_BuildsItsValue()
    {
        // Protocol 4: frame, short texts, stack globals, memo without numbers; and every kind of plain value beside the tensor.
        PickleBuilder pickle = new PickleBuilder().Op(0x80, 4).Op(0x95, 0, 0, 0, 0, 0, 0, 0, 0)
            .Op(0x8c, 11).Op("collections"u8).Op(0x94).Op(0x8c, 11).Op("OrderedDict"u8).Op(0x93).Op(')').Op('R').Op('(')
            .Text("none").Op('N').Text("true").Op(0x88).Text("float").Op('G').Op(0x3f, 0xf0, 0, 0, 0, 0, 0, 0)
            .Text("bytes").Op('K', 7).Text("shorts").Op((byte)'M', 1, 2).Text("long").Op(0x8a, 2, 0xff, 0xff).Text("zero").Op(0x8a, 0)
            .Text("list").Op(']').Op('K', 1).Op('a').Op('(').Op('K', 1).Op('K', 2).Op('e')
            .Text("tuples").Op('K', 1).Op(0x85).Op('K', 2).Op(0x86).Op('K', 3).Op('K', 4).Op(0x87)
            .Text("memo").Op('h', 0).Op('q', 9).Text("memo2").Op((byte)'j', 9, 0, 0, 0).Op((byte)'r', 1, 1, 0, 0)
            .Op('K', 5).Op('N')
            .Text("w").Tensor("FloatStorage", "0", 6, 0, [6])
            .Op('u').Op('}').Op('b');
        Assert.Equal("w", Assert.Single(TorchUnpickler.Read("f", pickle.Stop())).Key);
    }

    [Theory]
    [InlineData("os", "system")]
    [InlineData("posix", "system")]
    [InlineData("builtins", "eval")]
    [InlineData("torch._utils", "_rebuild_tensor")]
    [InlineData("torch", "load")]
    public void Read_OtherName_IsRefusedByIt(string module, string name)
    {
        byte[] pickle = new PickleBuilder().Global(module, name).Text("echo").Op(0x85).Op('R').Stop();
        Assert.Contains($"{module}.{name}", Assert.Throws<CheckpointException>(() => TorchUnpickler.Read("f", pickle)).Found);
    }

    [Theory]
    [InlineData('i')]
    [InlineData('o')]
    [InlineData('\x81')]
    [InlineData('\x92')]
    [InlineData('\x82')]
    [InlineData('P')]
    [InlineData('I')]
    [InlineData('V')]
    public void Read_OtherOperation_IsRefused(char operation) => Refused(new PickleBuilder().Op('}').Op('(').Op(operation), $"operation 0x{(int)operation:x2}");

    [Fact]
    public void Read_BrokenPickle_SaysWhere()
    {
        Refused(new PickleBuilder(), "an empty stack");
        Refused(new PickleBuilder().Op('N'), "another value");
        Refused(new PickleBuilder().Op('}').Op('t'), "no mark");
        Refused(new PickleBuilder().Op('}').Op('h', 3), "memo 3");
        Refused(new PickleBuilder().Op('}').Op('(').Op('N').Op('u'), "another value");
        Refused(new PickleBuilder().Op('N').Op('N').Op('N').Op('s'), "another value");
        Refused(new PickleBuilder().Op('}').Op('N').Op('N').Op('s'), "a key of another kind");
        Refused(new PickleBuilder().Op('}').Op('(').Op('K', 1).Op('N').Op('K', 1).Op('N').Op('u'), "'1' twice");
        Refused(new PickleBuilder().Op('}').Op('N').Op('a'), "another value");
        Refused(new PickleBuilder().Op('N').Op('N').Op('b'), "attributes of another value");
        Refused(new PickleBuilder().Op('N').Op('Q'), "another persistent id");
        Refused(new PickleBuilder().Op('N').Op('N').Op('R'), "another value");
        Refused(new PickleBuilder().Op('N').Op(')').Op('R'), "a call with other arguments");
        Refused(new PickleBuilder().Op('N').Op('N').Op(0x93), "another value");
        Refused(new PickleBuilder().Text("m").Op('N').Op(0x93), "another value");
        Refused(new PickleBuilder().Op(0x8a, 9), "an integer of 9 bytes");
        Refused(new PickleBuilder().Op((byte)'X', 0xff, 0xff, 0xff, 0xff), "a text of 4,294,967,295 bytes");
        Refused(new PickleBuilder().Op((byte)'r', 0xff, 0xff, 0xff, 0xff), "memo -1");
        Refused(new PickleBuilder().Op('c').Op("os"u8), "no end of a name");
        Refused(new PickleBuilder().Op("J12"u8), "the end");
        Assert.Equal("the end", Assert.Throws<CheckpointException>(() => TorchUnpickler.Read("f", [])).Found);
    }

    [Fact]
    public void Read_TensorThatIsNone_IsRefused()
    {
        Refused(new PickleBuilder().Tensor("FloatStorage", "0", 6, -1, [6]), "a call with other arguments");
        Refused(new PickleBuilder().Tensor("FloatStorage", "0", -6, 0, [6]), "another persistent id");
        Refused(new PickleBuilder().Tensor("FloatStorage", "0", 6, 0, [6], [1, 1]), "a call with other arguments");
        Refused(new PickleBuilder().Tensor("FloatStorage", "0", 6, 0, [-6], [1]), "another shape");
        Refused(new PickleBuilder().Tensor("FloatStorage", "0", 6, 0, new int[9], new int[9]), "another shape");
        Refused(new PickleBuilder().Tensor("UntypedStorage", "0", 6, 0, [6]), "the name 'torch.UntypedStorage'");
    }

    [Theory]
    [InlineData((byte)'}')]
    [InlineData((byte)'N')]
    [InlineData((byte)'(')]
    [InlineData((byte)']')]
    public void Read_Bomb_StaysSmall(byte operation)
    {
        byte[] pickle = new byte[4 << 20];
        pickle.AsSpan().Fill(operation);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<CheckpointException>(() => TorchUnpickler.Read("f", pickle));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 40 << 20);
        Assert.Throws<CheckpointException>(() => TorchUnpickler.Read("f", new byte[(4 << 20) + 1]));
    }

    private static void Refused(PickleBuilder pickle, string found)
    {
        var exception = Assert.Throws<CheckpointException>(() => TorchUnpickler.Read("f", pickle.Stop()));
        Assert.Equal(found, exception.Found);
        Assert.StartsWith("data.pkl", exception.Field);
    }
}
