namespace Llama2.Evaluation.Tests;

public sealed class TextMatchTests
{
    [Theory]
    [InlineData("The  Eiffel Tower!", "eiffel tower", true)]
    [InlineData("a", "the", true)]
    [InlineData("Éclair", "éclair", true)]
    [InlineData("Paris", "Lyon", false)]
    [InlineData("", "", true)]
    public void IsExact_Texts_IgnoresFormOnly(string reference, string prediction, bool expected) =>
        Assert.Equal(expected, TextMatch.IsExact(reference, prediction));

    [Theory]
    [InlineData("the cat sat", "a cat sat down", 0.8)]
    [InlineData("word word", "word", 2.0 / 3)]
    [InlineData("one", "two", 0)]
    [InlineData("", "two", 0)]
    [InlineData("", "the", 1)]
    public void TokenF1_Texts_CountsByHand(string reference, string prediction, double expected) =>
        Assert.Equal(expected, TextMatch.TokenF1(reference, prediction), 12);

    [Fact]
    public void Normalize_Punctuation_IsThatOfAscii() => Assert.Equal("5x «q» 10", TextMatch.Normalize("$5^x\u00a0«Q» the 1.0"));
}
