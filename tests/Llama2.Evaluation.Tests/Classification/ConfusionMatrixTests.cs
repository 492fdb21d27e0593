namespace Llama2.Evaluation.Tests;

public sealed class ConfusionMatrixTests
{
    [Fact]
    public void Add_Matrices_AddsUp()
    {
        ConfusionMatrix left = new(["b", "a"]), right = new(["b", "a"]);
        left.Add("a", "a");
        left.Add("a", "b");
        right.Add("a", "b");
        right.Add("b", "nonsense");

        left.Add(right);

        Assert.Equal(["b", "a"], left.Classes);
        Assert.Equal((1, 2, 0), (left["a", "a"], left["a", "b"], left["b", "b"]));
        Assert.Equal((4, 1, 1), (left.Total, left.Correct, left.Unrecognised));
        Assert.Equal((3, 1), (left.SupportOf(1), left.SupportOf(0)));
        Assert.Equal((1, 2), (left.PredictedOf(1), left.PredictedOf(0)));
    }

    [Fact]
    public void Add_OtherClasses_Throws()
    {
        var matrix = new ConfusionMatrix(["a", "b"]);

        Assert.Throws<ArgumentException>(() => matrix.Add(new ConfusionMatrix(["b", "a"])));
        Assert.Throws<ArgumentException>(() => matrix.Add("c", "a"));
        Assert.Throws<ArgumentException>(() => matrix["a", "c"]);
        Assert.Throws<ArgumentOutOfRangeException>(() => matrix[0, 2]);
        Assert.Throws<ArgumentOutOfRangeException>(() => matrix[-1, 0]);
    }

    [Fact]
    public void Constructor_NoOrDoubleClasses_Throws()
    {
        Assert.Throws<ArgumentException>(() => new ConfusionMatrix([]));
        Assert.Throws<ArgumentException>(() => new ConfusionMatrix(["a", "a"]));
        Assert.Throws<ArgumentException>(() => new ConfusionMatrix(["a", null!]));
    }
}
